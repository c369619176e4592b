import { EAGAIN, refused, VringError } from '@vring/layout'
import { decodeHeader, HEADER_BYTES, type MessageHeader } from './header.ts'
import type { Transport } from './transport.ts'

/** A whole message as it came. Its descriptors belong to whoever takes it. */
export interface IncomingMessage extends MessageHeader {
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
  readonly #header = new Uint8Array(HEADER_BYTES)
  #headerCount = 0
  #decoded: MessageHeader | null = null
  #payload = new Uint8Array(0)
  #payloadCount = 0
  #fds: number[] = []

  /**
   * @param payloadMax bytes of payload that are accepted
   * @param fdsMax descriptors that are accepted with one message: each of its bytes could bring some along
   */
  constructor(transport: Transport, payloadMax: number, fdsMax: number) {
    this.#transport = transport
    this.#payloadMax = payloadMax
    this.#fdsMax = fdsMax
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
      this.#decoded = decodeHeader(this.#header, this.#payloadMax)
      this.#payload = new Uint8Array(this.#decoded.size)
      this.#payloadCount = 0
    }
    while (this.#payloadCount < this.#payload.length) {
      const count = this.#receive(this.#payload.subarray(this.#payloadCount))
      if (count === EAGAIN) return 'none'
      if (count === 0) throw truncated('payload')
      this.#payloadCount += count
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
