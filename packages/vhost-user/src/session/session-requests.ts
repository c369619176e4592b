import { hasFeature, refused, type VringError } from '@vring/layout'
import { checkRequest } from '../messages/check-request.ts'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY } from '../messages/header.ts'
import type { IncomingMessage } from '../messages/message-reader.ts'
import {
  MESSAGES,
  type MessageSpec,
  PAYLOAD_BYTES_MAX,
  type ReplyPayload,
  type RequestName,
  type RequestPayload,
  requestLabel,
  requestName,
  unservedReason,
} from '../messages/messages.ts'
import { none, u64 } from '../messages/payload.ts'
import { PROTOCOL_F_REPLY_ACK, protocolFeatureName } from '../messages/protocol-features.ts'
import type { Transport } from '../messages/transport.ts'
import type { SessionTrace } from './backend-session-options.ts'
import { failedRing, type Refusal } from './refusal.ts'
import { HELD, type SessionHandlers, sessionHandlers } from './session-handlers.ts'
import type { SessionState } from './session-state.ts'

/** What the requests of a session need of it. */
export interface SessionRequestsOptions {
  readonly transport: Transport
  readonly state: SessionState
  readonly trace: SessionTrace
  /** Told of every request that is refused. */
  readonly onRefusal: (refusal: Refusal) => void
  /** What was thrown, as the refusal that it is. */
  readonly refusalOf: (error: unknown) => VringError
  /** The session is over. */
  readonly end: (error: unknown) => void
}

/** Serves the requests of a session by the table: each is checked, done, and answered or refused. */
export class SessionRequests {
  /** Requests that were refused. */
  refusals = 0
  /** The last refusal. */
  lastRefusal: VringError | null = null

  readonly #options: SessionRequestsOptions
  readonly #state: SessionState
  readonly #handlers: SessionHandlers
  /** A request whose answer has to wait, for chains in flight or a transfer; nothing after it is served. */
  #held: IncomingMessage | null = null
  /** Answers that are not sent yet, oldest first. */
  #unsent: Uint8Array[] = []
  #quiesced = false

  constructor(options: SessionRequestsOptions) {
    this.#options = options
    this.#state = options.state
    this.#handlers = sessionHandlers(options.state)
    // Said in an answer of its own.
    options.state.onRefused = (error) => this.#refused(options.refusalOf(error))
  }

  /** A request waits. */
  get waiting(): boolean {
    return this.#held !== null
  }

  /** Serves a message that has come; its descriptors are this object's from here on. */
  serve(message: IncomingMessage): void {
    const { request, flags, payload, fds } = message
    this.#options.trace('in', encodeMessage(request, flags & ~3, payload), fds)
    this.#serve(message)
  }

  /** Asks again for what had to wait; true: nothing waits any more. */
  retry(): boolean {
    const message = this.#held
    if (message === null) return true
    this.#held = null
    this.#serve(message)
    return this.#held === null
  }

  /** The device's threads stand between two rounds from here on; a second call does nothing. */
  quiesce(): void {
    if (this.#quiesced) return
    this.#state.device.quiesce?.()
    this.#quiesced = true
  }

  /**
   * They go on. They stand from the first request of a look that changes something to the end of that look, and not
   * once for each request. What they wait for is then bounded by time, whatever the frontend sends.
   */
  resume(): void {
    if (!this.#quiesced) return
    this.#quiesced = false
    this.#state.device.resume?.()
  }

  /**
   * Sends the answers to what was served since the last time, by one call: a frontend that sent requests together wakes
   * up once.
   *
   * @throws VringError ERR_SYSTEM: the frontend is gone, or reads nothing
   */
  flush(): void {
    const [first, ...more] = this.#unsent
    if (first === undefined) return
    this.#unsent = []
    this.#options.transport.send(more.length === 0 ? first : joined([first, ...more]), [], 0)
  }

  /** Gives the descriptors back of what still waits. */
  close(): void {
    this.#closeFds(this.#held?.fds ?? [])
  }

  #serve(message: IncomingMessage): void {
    const { request, flags, fds } = message
    const name = requestName(request)
    const answerFds: number[] = []
    try {
      if (message.size > message.payload.length)
        throw refused(
          'ERR_PROTOCOL',
          `${requestLabel(request)} payload size`,
          message.size,
          `at most ${PAYLOAD_BYTES_MAX}`,
        )
      if (name === null) throw refused('ERR_PROTOCOL', 'request', requestLabel(request), unservedReason(request))
      const reply = this.#dispatch(name, message, answerFds) ?? this.#acknowledgement(MESSAGES[name], flags)
      if (reply !== null) this.#send(request, reply, answerFds)
    } catch (error) {
      if (error === HELD) {
        this.#held = message
        return
      }
      this.#refuse(name, message, this.#options.refusalOf(error))
    } finally {
      this.#closeFds(answerFds)
      // Handlers take out of the list what they keep.
      if (this.#held !== message) this.#closeFds(fds)
    }
  }

  /** Checks a request against the table and runs its handler. Returns the encoded answer, or null. */
  #dispatch<Name extends RequestName>(
    name: Name,
    { flags, payload, fds }: IncomingMessage,
    answerFds: number[],
  ): Uint8Array | null {
    const spec: MessageSpec<RequestPayload<Name>, ReplyPayload<Name>> = MESSAGES[name] as unknown as MessageSpec<
      RequestPayload<Name>,
      ReplyPayload<Name>
    >
    checkRequest(name, spec, flags, payload.length, fds.length)
    if (!this.#isNegotiated(spec.requires))
      throw refused('ERR_PROTOCOL', name, 'sent', `${protocolFeatureName(spec.requires!)} negotiated first`)
    const decoded = spec.request.decode(new DataView(payload.buffer, payload.byteOffset, payload.length))
    const handler = this.#handlers[name] as (
      payload: RequestPayload<Name>,
      fds: number[],
      answerFds: number[],
    ) => ReplyPayload<Name>
    if (spec.quiesces) this.quiesce()
    const reply = handler(decoded, fds, answerFds)
    return spec.reply === null ? null : spec.reply.encode(reply)
  }

  #isNegotiated(protocolFeature: number | null): boolean {
    return protocolFeature === null || hasFeature(this.#state.negotiation.protocolFeatures, protocolFeature)
  }

  #wantsAck(flags: number): boolean {
    return (flags & FLAG_NEED_REPLY) !== 0 && this.#isNegotiated(PROTOCOL_F_REPLY_ACK)
  }

  /** What answers a request that was done and has no answer of its own; null: nothing does. */
  #acknowledgement({ emptyReply }: Pick<MessageSpec<never, never>, 'emptyReply'>, flags: number): Uint8Array | null {
    if (this.#wantsAck(flags)) return u64.encode(0n)
    return emptyReply ? none.encode(null) : null
  }

  /**
   * A refused request: a failure is answered where one can be, else the frontend would believe it was done. Where a guest's
   * own value is refused and no answer was asked for, its ring is what fails.
   */
  #refuse(name: RequestName | null, message: IncomingMessage, error: VringError): void {
    const { request, flags } = message
    // A reply of the table has no way to say no; a request that is not on offer is one that is not known.
    const known = name !== null && this.#isNegotiated(MESSAGES[name].requires)
    const answerable = !known || MESSAGES[name].reply === null
    const ends = this.#refusalEnds(name, message, error, answerable && this.#wantsAck(flags))
    this.#refused(error)
    this.#options.onRefusal({ request: name, error, ends })
    if (ends === 'session') this.#options.end(error)
    if (ends === 'answered') this.#send(request, u64.encode(1n))
  }

  #refusalEnds(
    name: RequestName | null,
    { payload }: IncomingMessage,
    error: VringError,
    asked: boolean,
  ): Refusal['ends'] {
    if (error.code === 'ERR_CLOSED') return 'session'
    if (asked) return 'answered'
    const ring = failedRing(name, payload, error)
    const vring = ring === null ? undefined : this.#state.rings.vrings[ring]
    if (vring === undefined) return 'session'
    this.#state.rings.break(vring, name!, error)
    return 'ring'
  }

  #refused(error: VringError): void {
    this.refusals++
    this.lastRefusal = error
  }

  #send(request: number, payload: Uint8Array, fds: readonly number[] = []): void {
    const bytes = encodeMessage(request, FLAG_REPLY, payload)
    this.#options.trace('out', bytes, fds)
    if (fds.length === 0) {
      this.#unsent.push(bytes)
      return
    }
    this.flush()
    // Frontends read their answers; one that does not is not waited for.
    this.#options.transport.send(bytes, fds, 0)
  }

  #closeFds(fds: number[]): void {
    for (const fd of fds.splice(0)) this.#state.host.closeFd(fd)
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
