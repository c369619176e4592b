import type { DeviceIotlb } from '@vring/iotlb'
import { checkMethods, isVringError, refused, VringError } from '@vring/layout'
import { WORK_PER_LOOK, work } from '@vring/memory'
import { checkDevice } from '../device/check-device.ts'
import type { SessionHost } from '../host/session-host.ts'
import { MessageReader, OVERLONG_BYTES_MAX } from '../messages/message-reader.ts'
import { MESSAGE_FDS_MAX, PAYLOAD_BYTES_MAX } from '../messages/messages.ts'
import type { Transport } from '../messages/transport.ts'
import { describeFault, type FaultHandler, reportFault, reportNote } from '../report-fault.ts'
import { type BackendSessionOptions, MESSAGE_MS } from './backend-session-options.ts'
import type { SessionMemory } from './session-memory.ts'
import { SessionRequests } from './session-requests.ts'
import { SessionState } from './session-state.ts'
import type { SessionVring } from './session-vring.ts'

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

  readonly #transport: Transport
  readonly #host: SessionHost
  readonly #reader: MessageReader
  readonly #state: SessionState
  readonly #requests: SessionRequests
  readonly #messageMs: number
  readonly #onFault: FaultHandler
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
    this.#host = host
    this.#reader = new MessageReader(transport, PAYLOAD_BYTES_MAX, MESSAGE_FDS_MAX, OVERLONG_BYTES_MAX)
    this.#state = new SessionState(device, host, options.memoryBytesMax, options.onNote ?? reportNote)
    this.#messageMs = messageMs
    this.#onFault = options.onFault ?? reportFault
    this.#requests = new SessionRequests({
      transport,
      state: this.#state,
      trace: options.trace ?? (() => {}),
      onRefusal: options.onRefusal ?? (() => {}),
      refusalOf: (error) => this.#known(error),
      end: (error) => this.close(error),
    })
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
    return this.#requests.waiting
  }

  /** Requests that were refused. */
  get refusals(): number {
    return this.#requests.refusals
  }

  /** The last refusal; null: there was none. */
  get lastRefusal(): VringError | null {
    return this.#requests.lastRefusal
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
   * Handles the messages that are there, without waiting, for about {@link POLL_MS}, and answers them. Call it between
   * rounds. Nothing is done for a frontend that has hung up: it reads no answer, and the next one waits.
   *
   * @returns `idle`: nothing was there. `handled`: look again soon. `closed`: the session is over.
   */
  poll(): 'idle' | 'handled' | 'closed' {
    let result: 'idle' | 'handled' = 'idle'
    const end = performance.now() + POLL_MS
    this.#state.askUnsent()
    this.#askDue = this.#state.hasUnsent ? performance.now() + UNSENT_MS : Number.POSITIVE_INFINITY
    this.#state.transfer.step(this.#state.rings.active.length)
    for (work.begin(); !work.full && !this.#closed; work.charge(MESSAGE_WORK)) {
      if (work.spent > 0 && performance.now() >= end) break
      try {
        if (this.#transport.hungUp?.() === true) {
          this.close()
          break
        }
        if (!this.#requests.retry()) break
        const message = this.#reader.next()
        if (message === 'none') break
        if (message === 'closed') this.close()
        else {
          this.#messageDue = Number.POSITIVE_INFINITY
          this.#requests.serve(message)
        }
        result = 'handled'
      } catch (error) {
        this.close(error)
      }
    }
    this.#finishLook()
    this.#checkPartial()
    return this.#closed ? 'closed' : result
  }

  #finishLook(): void {
    try {
      this.#requests.resume()
      if (!this.#closed) this.#requests.flush()
    } catch (error) {
      this.close(error)
    }
  }

  /**
   * Ends the session when pages of its memory turned out not to exist (see `MemoryGuard`). They are zeros of this
   * process now, which the frontend does not see.
   */
  checkMemory(): void {
    const what = this.#state.lostPages
    if (what === null) return
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
    try {
      this.#requests.flush()
    } catch {
      // No process reads these answers any more.
    }
    const steps = [
      () => this.#requests.quiesce(),
      () => this.#state.reset(),
      () => this.#state.log.close(),
      () => this.#state.memory.close(),
      () => this.#requests.resume(),
      () => this.#state.closeChannel(),
      () => this.#closeFds(this.#reader.takeFds()),
      () => this.#requests.close(),
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
