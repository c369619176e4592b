import type { VhostUserDevice } from '../device/device.ts'
import type { RingEvent } from '../host/session-host.ts'
import type { WorkerSession } from './worker-session.ts'

const NO_FDS: readonly number[] = []

/** A session and its device as a worker serves them, with what its loop has looked up. */
export class ServedSession {
  readonly session: WorkerSession
  readonly device: VhostUserDevice
  /** Called once, when the session is over. */
  readonly onClose: () => void
  #generation = -1
  #wakeFds = NO_FDS
  #roomFds = NO_FDS
  #active: readonly number[] = []
  #queues: readonly number[] = []
  #stateIn = -1
  #stateOut = -1

  constructor(session: WorkerSession, device: VhostUserDevice, onClose: () => void) {
    this.session = session
    this.device = device
    this.onClose = onClose
  }

  /** Of the rings that have one. */
  get kicks(): readonly RingEvent[] {
    const { device, session } = this
    return session.vrings.flatMap(({ kick }, index) =>
      kick === null || device.isElsewhere?.(index) === true ? [] : [kick],
    )
  }

  /** The rings that run and are served by this thread. */
  get queues(): readonly number[] {
    const { device, session } = this
    if (session.activeQueues !== this.#active) {
      this.#active = session.activeQueues
      this.#queues = this.#active.filter((index) => device.isElsewhere?.(index) !== true)
    }
    return this.#queues
  }

  get wakeFds(): readonly number[] {
    return withOne(this.#wakeFds, this.#stateIn)
  }

  get roomFds(): readonly number[] {
    return withOne(this.#roomFds, this.#stateOut)
  }

  /** A request waits for its answer, or a state is on its way: the session is looked at though its socket is silent. */
  get pending(): boolean {
    return this.session.waiting || this.#stateIn >= 0 || this.#stateOut >= 0
  }

  /** Looks at the session again; true: rings or kicks are not what they were. */
  ringsChanged(): boolean {
    const { generation } = this.session
    const changed = generation !== this.#generation
    this.#generation = generation
    return changed
  }

  /** Looks at the device again; true: the descriptors that it waits for are not what they were. */
  fdsChanged(): boolean {
    const { wakeFds = NO_FDS, roomFds = NO_FDS } = this.device
    const { read, write } = this.session.transferFds
    const changed =
      wakeFds !== this.#wakeFds || roomFds !== this.#roomFds || read !== this.#stateIn || write !== this.#stateOut
    this.#stateIn = read
    this.#stateOut = write
    this.#wakeFds = wakeFds
    this.#roomFds = roomFds
    return changed
  }

  /** Asks the driver of every ring to notify, and looks again; true: there is work, do not sleep. */
  arm(): boolean {
    // What waits for a view of its memory goes on in the next turn.
    let more = this.session.memory.space.deferred
    for (const index of this.queues) if (this.device.armQueue(index)) more = true
    return more
  }

  /** The longest time to sleep, in ms; -1: until something happens. A ring without a kick has to be looked at. */
  get waitMs(): number {
    const { session, device } = this
    for (const index of this.queues) if (session.vrings[index]!.polled) return 0
    return sooner(device.sleepMs ?? -1, session.patienceMs)
  }
}

/** The shorter of two times in ms, of which -1 is for ever. */
export function sooner(one: number, other: number): number {
  if (one < 0) return other
  return other < 0 ? one : Math.min(one, other)
}

function withOne(fds: readonly number[], fd: number): readonly number[] {
  return fd < 0 ? fds : [...fds, fd]
}
