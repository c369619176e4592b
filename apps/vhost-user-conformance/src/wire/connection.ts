import { EAGAIN, isVringError } from '@vring/layout'
import { closeFd, PollSet, type UnixSocket } from '@vring/linux'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY, HEADER_BYTES } from '@vring/vhost-user'
import { fail } from '../case.ts'
import { NOTHING } from './payloads.ts'
import { REQUESTS, type Request } from './requests.ts'

/** How long a back-end may take for anything, unless told otherwise, in ms. */
export const PATIENCE_MS = 2000
/** A longer answer is garbage, in bytes. */
const PAYLOAD_BYTES_MAX = 1 << 16

/** A message of the back-end. */
export interface Message {
  readonly request: number
  readonly flags: number
  readonly payload: DataView
  /** Closed with the connection unless they are taken. */
  readonly fds: number[]
}

/** What became of a request that may be refused. `silent`: no answer, and the connection stands. */
export type Outcome = 'done' | 'refused' | 'closed' | 'silent'

/** One vhost-user connection, message by message. Sends what it is told to send, right or wrong. */
export class Connection {
  readonly socket: UnixSocket
  /** How long the back-end may take, in ms. */
  readonly patienceMs: number
  readonly #poll = new PollSet()
  readonly #chunk = new Uint8Array(8192)
  #bytes = NOTHING
  #fds: number[] = []
  #ended = false

  constructor(socket: UnixSocket, patienceMs: number = PATIENCE_MS) {
    this.socket = socket
    this.patienceMs = patienceMs
    this.#poll.watch([socket.fd])
  }

  /** A message of the codec; descriptors stay open here. */
  send(request: Request | number, payload: Uint8Array = NOTHING, fds: readonly number[] = [], flags = 0): void {
    this.sendBytes(encodeMessage(typeof request === 'number' ? request : REQUESTS[request], flags, payload), fds)
  }

  /** Any bytes. A back-end that has hung up is found by the next {@link receive}. */
  sendBytes(bytes: Uint8Array, fds: readonly number[] = []): void {
    try {
      this.socket.send(bytes, fds, this.patienceMs)
    } catch (error) {
      if (!isVringError(error)) throw error
      if (error.value === 'ETIMEDOUT') fail('the back-end reads nothing from its socket')
      this.#ended = true
    }
  }

  /** Sends a request again and again, for so many ms, and reads nothing. */
  flood(request: Request, forMs: number): void {
    const bytes = encodeMessage(REQUESTS[request], 0, NOTHING)
    const end = performance.now() + forMs
    try {
      while (performance.now() < end) this.socket.send(bytes, [], 50)
    } catch (error) {
      // Full, or hung up on: both are what was wanted.
      if (!isVringError(error)) throw error
    }
  }

  /** The next message, `silent` when none came in time, or `closed`. */
  receive(timeoutMs: number = this.patienceMs): Message | 'silent' | 'closed' {
    const end = performance.now() + timeoutMs
    for (;;) {
      const message = this.#take()
      if (message !== null) return message
      const state = this.#read()
      if (state === 'closed') return 'closed'
      if (state === 'more') continue
      const left = Math.ceil(end - performance.now())
      if (left <= 0 || this.#ended) return this.#ended ? 'closed' : 'silent'
      this.#poll.wait(left)
    }
  }

  /**
   * Sends a request that has an answer of its own, and takes it.
   *
   * @throws CaseFailure when there is none, or another one
   */
  ask(request: Request, payload: Uint8Array = NOTHING, fds: readonly number[] = []): Message {
    this.send(request, payload, fds)
    return this.answer(request)
  }

  /**
   * The answer to a request that was sent.
   *
   * @throws CaseFailure when there is none, or another one
   */
  answer(request: Request, timeoutMs: number = this.patienceMs): Message {
    const message = this.receive(timeoutMs)
    if (message === 'closed') fail(`${request}: the back-end hung up`)
    if (message === 'silent') fail(`${request}: no answer within ${timeoutMs / 1000} s`)
    if (message.request !== REQUESTS[request]) fail(`${request}: the answer is to request ${message.request}`)
    if ((message.flags & 7) !== (FLAG_REPLY | 1))
      fail(`${request}: the answer has flags 0x${message.flags.toString(16)}`)
    return message
  }

  /** {@link ask} for a 64-bit answer. */
  askU64(request: Request, payload: Uint8Array = NOTHING): bigint {
    const { payload: reply } = this.ask(request, payload)
    if (reply.byteLength !== 8) fail(`${request}: the answer has ${reply.byteLength} bytes, not 8`)
    return reply.getBigUint64(0, true)
  }

  /**
   * Sends with need_reply and takes the status; REPLY_ACK has to be negotiated.
   *
   * @throws CaseFailure when no status comes
   */
  status(request: Request, payload: Uint8Array = NOTHING, fds: readonly number[] = []): bigint {
    this.send(request, payload, fds, FLAG_NEED_REPLY)
    const { payload: reply } = this.answer(request)
    if (reply.byteLength !== 8) fail(`${request}: the status has ${reply.byteLength} bytes, not 8`)
    return reply.getBigUint64(0, true)
  }

  /**
   * Sends with need_reply something that may be refused, and says what became of it.
   *
   * @throws CaseFailure for an answer to something else
   */
  attempt(request: Request | number, payload: Uint8Array = NOTHING, fds: readonly number[] = []): Outcome {
    this.send(request, payload, fds, FLAG_NEED_REPLY)
    return this.outcome(typeof request === 'number' ? request : REQUESTS[request])
  }

  /** What became of a request that was sent with need_reply. */
  outcome(id: number, timeoutMs: number = this.patienceMs): Outcome {
    const message = this.receive(timeoutMs)
    if (message === 'closed' || message === 'silent') return message
    if (message.request !== id) fail(`request ${id}: the answer is to request ${message.request}`)
    // An answer without payload is how GET_CONFIG says that it failed.
    if (message.payload.byteLength === 0) return 'refused'
    return message.payload.byteLength === 8 && message.payload.getBigUint64(0, true) !== 0n ? 'refused' : 'done'
  }

  /** Is the back-end still reading messages where they begin? False when it has hung up. */
  isInStep(): boolean {
    // Twice: an answer too many would be taken for the first one, and says something else.
    this.send('GET_FEATURES')
    this.send('GET_FEATURES')
    const values: bigint[] = []
    for (let n = 0; n < 2; n++) {
      const message = this.receive()
      if (message === 'closed') return false
      if (message === 'silent') fail('the connection stands, and GET_FEATURES is not answered any more')
      values.push(featuresOf(message))
    }
    if (values[0] !== values[1]) fail('there was one answer too many: out of step')
    return true
  }

  /** Descriptors that came and were not taken are closed. */
  close(): void {
    for (const fd of this.#fds.splice(0)) closeFd(fd)
    this.socket.close()
  }

  #read(): 'more' | 'nothing' | 'closed' {
    let count: number
    try {
      count = this.socket.receive(this.#chunk, this.#fds)
    } catch (error) {
      if (!isVringError(error)) throw error
      return 'closed'
    }
    if (count === EAGAIN) return 'nothing'
    if (count === 0) return 'closed'
    const bytes = new Uint8Array(this.#bytes.length + count)
    bytes.set(this.#bytes)
    bytes.set(this.#chunk.subarray(0, count), this.#bytes.length)
    this.#bytes = bytes
    return 'more'
  }

  #take(): Message | null {
    if (this.#bytes.length < HEADER_BYTES) return null
    const header = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, HEADER_BYTES)
    const size = header.getUint32(8, true)
    if (size > PAYLOAD_BYTES_MAX) fail(`an answer of ${size} bytes`)
    if (this.#bytes.length < HEADER_BYTES + size) return null
    const payload = new DataView(this.#bytes.slice(HEADER_BYTES, HEADER_BYTES + size).buffer)
    this.#bytes = this.#bytes.slice(HEADER_BYTES + size)
    return { request: header.getUint32(0, true), flags: header.getUint32(4, true), payload, fds: this.#fds }
  }
}

function featuresOf(message: Message): bigint {
  if (message.request !== REQUESTS.GET_FEATURES || message.payload.byteLength !== 8)
    fail(`GET_FEATURES is answered by a message ${message.request} of ${message.payload.byteLength} bytes: out of step`)
  return message.payload.getBigUint64(0, true)
}
