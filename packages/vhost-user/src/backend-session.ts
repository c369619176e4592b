import type { DeviceIotlb } from '@vring/iotlb'
import { checkMethods, hasFeature, isVringError, refused, VringError } from '@vring/layout'
import { WORK_PER_LOOK, work } from '@vring/memory'
import { type BackendSessionOptions, MESSAGE_MS, type SessionTrace } from './backend-session-options.ts'
import { checkDevice } from './check-device.ts'
import { checkRequest } from './check-request.ts'
import type { VhostUserDevice } from './device.ts'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY } from './header.ts'
import { type IncomingMessage, MessageReader, OVERLONG_BYTES_MAX } from './message-reader.ts'
import {
  MESSAGE_FDS_MAX,
  MESSAGES,
  type MessageSpec,
  PAYLOAD_BYTES_MAX,
  type ReplyPayload,
  type RequestName,
  type RequestPayload,
  requestLabel,
  requestName,
  unservedReason,
} from './messages.ts'
import { none, u64 } from './payload.ts'
import { PROTOCOL_F_REPLY_ACK, protocolFeatureName } from './protocol-features.ts'
import { isOfTheGuest, type Refusal } from './refusal.ts'
import { describeFault, type FaultHandler, reportFault, reportNote } from './report-fault.ts'
import { HELD, type SessionHandlers, sessionHandlers } from './session-handlers.ts'
import type { SessionHost } from './session-host.ts'
import type { SessionMemory } from './session-memory.ts'
import { SessionState } from './session-state.ts'
import type { SessionVring } from './session-vring.ts'
import type { Transport } from './transport.ts'

/** How long one {@link BackendSession.poll} goes on, in ms: rings get their turn whatever the frontend sends. */
const POLL_MS = 1
/** What a message is in units of work, so that a poll handles at most 64; it looks at the clock after each. */
const MESSAGE_WORK = WORK_PER_LOOK / 64

/** How long to leave a channel alone that has no room for a question, in ms. */
const UNSENT_MS = 1

/**
 * The device's end of a vhost-user connection: a state machine over a transport that configures a
 * {@link VhostUserDevice}. It never throws: a request it refuses is answered with a failure when an acknowledgement was
 * asked for (REPLY_ACK), and ends the session otherwise. Descriptors and mappings are given back on every path.
 */
export class BackendSession {
  /** Why the session ended; null while it lives and when the frontend closed it between two messages. */
  error: VringError | null = null
  /** Requests that were refused with an answer. */
  refusals = 0
  /** The last refusal. */
  lastRefusal: VringError | null = null

  readonly #transport: Transport
  readonly #device: VhostUserDevice
  readonly #host: SessionHost
  readonly #trace: SessionTrace
  readonly #reader: MessageReader
  readonly #state: SessionState
  readonly #handlers: SessionHandlers
  /** A request whose answer has to wait, for chains in flight or a transfer; nothing after it is read. */
  #held: IncomingMessage | null = null
  readonly #messageMs: number
  readonly #onFault: FaultHandler
  readonly #onRefusal: (refusal: Refusal) => void
  /** When the message that is on its way has to be there, by `performance.now()`; infinity: none is. */
  #messageDue = Number.POSITIVE_INFINITY
  /** When to ask again what found no room, alike. */
  #askDue = Number.POSITIVE_INFINITY
  #closed = false

  /** @throws VringError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE for options that can't be served */
  constructor(options: BackendSessionOptions) {
    const { transport, device, host, messageMs = MESSAGE_MS } = options
    checkMethods('transport', transport, 'a Transport', ['receive', 'send', 'close'])
    checkDevice(device)
    checkMethods('host', host, 'a SessionHost', ['closeFd', 'mapMemory', 'ringEvent'])
    if (!(messageMs >= 1)) throw refused('ERR_OUT_OF_RANGE', 'messageMs', messageMs, 'at least 1')
    this.#transport = transport
    this.#device = device
    this.#host = host
    this.#trace = options.trace ?? (() => {})
    this.#reader = new MessageReader(transport, PAYLOAD_BYTES_MAX, MESSAGE_FDS_MAX, OVERLONG_BYTES_MAX)
    this.#state = new SessionState(device, host, options.memoryBytesMax, options.onNote ?? reportNote)
    this.#handlers = sessionHandlers(this.#state)
    this.#messageMs = messageMs
    this.#onFault = options.onFault ?? reportFault
    this.#onRefusal = options.onRefusal ?? (() => {})
    this.#state.onRefused = (error) => this.#refused(this.#known(error))
    this.#state.isOpen = () => transport.canSend?.() ?? true
    device.connected?.({ configChanged: () => !this.#closed && this.#state.configChanged() })
  }

  /** The transport's descriptor, for poll(2). */
  get fd(): number {
    return this.#transport.fd
  }

  get closed(): boolean {
    return this.#closed
  }

  get memory(): SessionMemory {
    return this.#state.memory
  }

  /** By queue index. */
  get vrings(): readonly SessionVring[] {
    return this.#state.rings.vrings
  }

  /** Filled by IOTLB_MSG; used when VIRTIO_F_ACCESS_PLATFORM is negotiated. */
  get iotlb(): DeviceIotlb {
    return this.#state.iotlb
  }

  /** Virtio features that were negotiated. */
  get features(): bigint {
    return this.#state.negotiation.features
  }

  get protocolFeatures(): bigint {
    return this.#state.negotiation.protocolFeatures
  }

  /** Virtio features on offer. */
  get offeredFeatures(): bigint {
    return this.#state.negotiation.offeredFeatures
  }

  /** Protocol features on offer. */
  get offeredProtocolFeatures(): bigint {
    return this.#state.negotiation.offeredProtocolFeatures
  }

  /** Indices of the rings that run, ascending. Replaced, never changed. */
  get activeQueues(): readonly number[] {
    return this.#state.rings.active
  }

  /** Changes whenever {@link activeQueues} or a kick descriptor does. */
  get generation(): number {
    return this.#state.rings.generation
  }

  /** A request waits for chains in flight, or for a transfer: {@link poll} looks again. */
  get waiting(): boolean {
    return this.#held !== null
  }

  /** Descriptors of a device state on its way; -1: none. */
  get transferFds(): { readonly read: number; readonly write: number } {
    const { readFd, writeFd } = this.#state.transfer
    return { read: readFd, write: writeFd }
  }

  /** How long {@link poll} may be left alone though nothing comes, in ms; -1: for ever. */
  get patienceMs(): number {
    const due = Math.min(this.#messageDue, this.#askDue)
    return due === Number.POSITIVE_INFINITY ? -1 : Math.max(0, Math.ceil(due - performance.now()))
  }

  /**
   * Handles the messages that are there, without waiting, for about {@link POLL_MS}. Call it between rounds. Nothing is done
   * for a frontend that has hung up: it reads no answer, and the next one waits.
   *
   * @returns `idle`: nothing was there. `handled`: look again soon. `closed`: the session is over.
   */
  poll(): 'idle' | 'handled' | 'closed' {
    let result: 'idle' | 'handled' = 'idle'
    const end = performance.now() + POLL_MS
    this.#state.askUnsent()
    this.#askDue = this.#state.hasUnsent ? performance.now() + UNSENT_MS : Number.POSITIVE_INFINITY
    this.#state.transfer.step()
    for (work.begin(); !work.full && !this.#closed; work.charge(MESSAGE_WORK)) {
      if (work.spent > 0 && performance.now() >= end) break
      try {
        if (this.#transport.hungUp?.() === true) {
          this.close()
          break
        }
        if (this.#held !== null && !this.#retry(this.#held)) break
        const message = this.#reader.next()
        if (message === 'none') break
        if (message === 'closed') this.close()
        else {
          this.#messageDue = Number.POSITIVE_INFINITY
          this.#handle(message)
        }
        result = 'handled'
      } catch (error) {
        this.close(error)
      }
    }
    this.#checkPartial()
    return this.#closed ? 'closed' : result
  }

  /**
   * Ends the session when pages of its memory turned out not to exist (see `MemoryGuard`): they are zeros of this process now,
   * which the frontend does not see.
   */
  checkMemory(): void {
    const region = this.memory.faulted
    if (region === null && !this.#state.log.faulted) return
    const what = region === null ? 'the dirty log' : `the region at guest address 0x${region.guestAddress.toString(16)}`
    this.close(new VringError('ERR_SYSTEM', `pages of ${what} do not exist any more`, { field: 'memory' }))
  }

  /** Ends a session whose frontend does not finish what it began to say. */
  #checkPartial(): void {
    if (!this.#reader.partial) {
      this.#messageDue = Number.POSITIVE_INFINITY
      return
    }
    const now = performance.now()
    if (this.#messageDue === Number.POSITIVE_INFINITY) this.#messageDue = now + this.#messageMs
    else if (now >= this.#messageDue)
      this.close(refused('ERR_PROTOCOL', 'message', 'in pieces', `whole within ${this.#messageMs} ms`))
  }

  /**
   * Ends the session: stops all rings, gives memory and descriptors back. Never throws; a second call does nothing.
   *
   * @param error why, when it is not the frontend's wish
   */
  close(error?: unknown): void {
    if (this.#closed) return
    this.#closed = true
    if (error !== undefined) this.#ended(error)
    const steps = [
      () => this.#device.quiesce?.(),
      () => this.#state.reset(),
      () => this.#state.log.close(),
      () => this.#state.memory.close(),
      () => this.#device.resume?.(),
      () => this.#state.closeChannel(),
      () => this.#closeFds(this.#reader.takeFds()),
      () => this.#closeFds(this.#held?.fds ?? []),
      () => this.#transport.close(),
    ]
    for (const step of steps) {
      try {
        step()
      } catch (failure) {
        this.#ended(failure)
      }
    }
  }

  /** The first error is why it ended; each is told. */
  #ended(error: unknown): void {
    const known = this.#known(error)
    this.error ??= known
  }

  #handle(message: IncomingMessage): void {
    const { request, flags, payload, fds } = message
    this.#trace('in', encodeMessage(request, flags & ~3, payload), fds)
    this.#serve(message)
  }

  /** Asks again for what had to wait; true: it was answered. */
  #retry(message: IncomingMessage): boolean {
    this.#held = null
    this.#serve(message)
    return this.#held === null
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
      const reply = this.#dispatch(name, message, answerFds)
      this.#answer(name, flags, reply, answerFds)
    } catch (error) {
      if (error === HELD) {
        this.#held = message
        return
      }
      this.#refuse(name, message, this.#known(error))
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
    const run = (): ReplyPayload<Name> => handler(decoded, fds, answerFds)
    const reply = spec.quiesces ? this.#quiesced(run) : run()
    return spec.reply === null ? null : spec.reply.encode(reply)
  }

  #isNegotiated(protocolFeature: number | null): boolean {
    return protocolFeature === null || hasFeature(this.protocolFeatures, protocolFeature)
  }

  #quiesced<T>(change: () => T): T {
    this.#device.quiesce?.()
    try {
      return change()
    } finally {
      this.#device.resume?.()
    }
  }

  #wantsAck(flags: number): boolean {
    return (flags & FLAG_NEED_REPLY) !== 0 && hasFeature(this.protocolFeatures, PROTOCOL_F_REPLY_ACK)
  }

  /**
   * What the table says is answered. A status goes with every other request that asks for one, when REPLY_ACK is negotiated;
   * without asking, SET_LOG_BASE is answered with nothing, as LOG_SHMFD promises.
   */
  #answer(name: RequestName, flags: number, reply: Uint8Array | null, fds: readonly number[]): void {
    const { id } = MESSAGES[name]
    if (reply !== null) this.#send(id, reply, fds)
    else if (this.#wantsAck(flags)) this.#send(id, u64.encode(0n))
    else if (name === 'SET_LOG_BASE') this.#send(id, none.encode(null))
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
    this.#onRefusal({ request: name, error, ends })
    if (ends === 'ring') return
    if (ends === 'session') {
      this.close(error)
      return
    }
    try {
      this.#send(request, u64.encode(1n))
    } catch (failure) {
      this.close(failure)
    }
  }

  #refusalEnds(
    name: RequestName | null,
    { payload }: IncomingMessage,
    error: VringError,
    asked: boolean,
  ): Refusal['ends'] {
    if (error.code === 'ERR_CLOSED') return 'session'
    if (asked) return 'answered'
    if (!isOfTheGuest(name, error)) return 'session'
    // Of SET_VRING_KICK the index is the first byte, of the others the first word, whose ring was found already.
    const vring = this.vrings[payload[0]!]
    if (vring === undefined) return 'session'
    this.#state.rings.break(vring, name, error)
    return 'ring'
  }

  #refused(error: VringError): void {
    this.refusals++
    this.lastRefusal = error
  }

  #send(request: number, payload: Uint8Array, fds: readonly number[] = []): void {
    const bytes = encodeMessage(request, FLAG_REPLY, payload)
    this.#trace('out', bytes, fds)
    // Frontends read their answers; one that does not is not waited for.
    this.#transport.send(bytes, fds, 0)
  }

  /** A refusal as it is; anything else is a fault, told with its class and stack. */
  #known(error: unknown): VringError {
    if (isVringError(error)) return error
    this.#onFault(error)
    return new VringError('ERR_INTERNAL', describeFault(error), { cause: error })
  }

  #closeFds(fds: number[]): void {
    for (const fd of fds.splice(0)) this.#host.closeFd(fd)
  }
}
