import { EAGAIN, refused, VringError } from '@vring/layout'
import { decodeHeader, HEADER_BYTES, type MessageHeader } from './header.ts'
import type { Transport } from './transport.ts'

/**
 * Bytes of payload that are read over to the next message when they are more than a request may have. The request is
 * refused then, and answered if it asked for that. A message that says it is longer ends the stream.
 */
export const OVERLONG_BYTES_MAX: number = 2 ** 20
/** Bytes of such a payload that one look reads over. */
const SKIP_BYTES = 2 ** 16
/** What is read over goes here, of every stream. */
const skipped = new Uint8Array(4096)

/** A whole message as it came. Its descriptors belong to the caller that takes it. */
export interface IncomingMessage extends MessageHeader {
  /** Its first bytes where {@link MessageHeader.size} is more than is accepted: the rest was read over. */
  readonly payload: Uint8Array
  readonly fds: number[]
}

/**
 * Cuts a stream into messages. A message may arrive in pieces; what has come of it is kept, so that reading never waits.
 */
export class MessageReader {
  readonly #transport: Transport
  readonly #payloadMax: number
  readonly #fdsMax: number
  readonly #sizeMax: number
  readonly #header = new Uint8Array(HEADER_BYTES)
  #headerCount = 0
  #decoded: MessageHeader | null = null
  #payload = new Uint8Array(0)
  #payloadCount = 0
  /** Bytes of the message that are read over. */
  #skip = 0
  #fds: number[] = []

  /**
   * @param payloadMax bytes of payload that are accepted
   * @param fdsMax descriptors that are accepted with one message: each of its bytes could bring some along
   * @param sizeMax bytes of payload that are read over where they are more than is accepted; default: none are
   */
  constructor(transport: Transport, payloadMax: number, fdsMax: number, sizeMax: number = payloadMax) {
    this.#transport = transport
    this.#payloadMax = payloadMax
    this.#fdsMax = fdsMax
    this.#sizeMax = sizeMax
  }

  /**
   * The next message, `none` when it is not complete yet, or `closed` when the peer closed between two messages.
   *
   * @throws VringError ERR_PROTOCOL (bad header, too many descriptors, stream ends inside a message), ERR_SYSTEM
   */
  next(): IncomingMessage | 'none' | 'closed' {
    while (this.#headerCount < HEADER_BYTES) {
      const count = this.#receive(this.#header.subarray(this.#headerCount))
      if (count === EAGAIN) return 'none'
      if (count === 0) {
        if (this.#headerCount === 0 && this.#fds.length === 0) return 'closed'
        throw truncated('header')
      }
      this.#headerCount += count
    }
    if (this.#decoded === null) {
      this.#decoded = decodeHeader(this.#header, this.#sizeMax)
      this.#payload = new Uint8Array(Math.min(this.#decoded.size, this.#payloadMax))
      this.#payloadCount = 0
      this.#skip = this.#decoded.size - this.#payload.length
    }
    while (this.#payloadCount < this.#payload.length) {
      const count = this.#receive(this.#payload.subarray(this.#payloadCount))
      if (count === EAGAIN) return 'none'
      if (count === 0) throw truncated('payload')
      this.#payloadCount += count
    }
    for (let done = 0; this.#skip > 0; ) {
      if (done >= SKIP_BYTES) return 'none'
      const count = this.#receive(skipped.subarray(0, this.#skip))
      if (count === EAGAIN) return 'none'
      if (count === 0) throw truncated('payload')
      this.#skip -= count
      done += count
    }
    const message = { ...this.#decoded, payload: this.#payload, fds: this.#fds }
    this.#headerCount = 0
    this.#decoded = null
    this.#fds = []
    return message
  }

  #receive(into: Uint8Array): number {
    const count = this.#transport.receive(into, this.#fds)
    // Not left to the table, which is asked when the message is whole: the process could be out of descriptors by then.
    if (this.#fds.length > this.#fdsMax)
      throw refused('ERR_PROTOCOL', 'descriptors', this.#fds.length, `at most ${this.#fdsMax} with a message`)
    return count
  }

  /** A part of a message has come. */
  get partial(): boolean {
    return this.#headerCount > 0 || this.#fds.length > 0
  }

  /** Descriptors of a message that did not become complete: the caller closes them when the stream ends. */
  takeFds(): number[] {
    const fds = this.#fds
    this.#fds = []
    return fds
  }
}

function truncated(part: string): VringError {
  return new VringError('ERR_PROTOCOL', `the stream ends inside a message's ${part}`, { field: part })
}
