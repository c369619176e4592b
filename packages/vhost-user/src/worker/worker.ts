import { guardFaults, PollSet } from '@vring/linux'
import type { VhostUserDevice } from '../device/device.ts'
import { RingTurns } from './ring-turns.ts'
import { type ServedPath, ServedPaths } from './served-paths.ts'
import { ServedSession, sooner } from './served-session.ts'
import { WaitSet } from './wait-set.ts'
import { ANSWER_US, checkWorkerOptions, type VhostUserWorkerOptions } from './worker-options.ts'
import type { WorkerSession } from './worker-session.ts'

/**
 * Wake-ups one after the other that bring nothing before the worker looks by time. An eventfd that is a semaphore, or
 * that another process writes to without end, would be looked at without end.
 */
const EMPTY_WAKES_MAX = 64
/** How long it leaves such descriptors alone, in ms. */
const EMPTY_WAKE_MS = 1
/** Views of memory that a session makes in one look at its messages; in a turn over the rings one session makes one. */
const CONTROL_VIEWS = 3

/** How often a sleeping worker asks `shouldStop`, in ms. */
const ASK_MS = 1000

/**
 * The loop of a thread. It serves the rings of any number of sessions, and looks at sockets between two turns over
 * them. When all rings have been empty for a while it sleeps in one poll(2) over sockets, kicks and the devices'
 * descriptors.
 *
 * No wake-up is lost: before it sleeps it asks the driver of every ring for notifications and looks at the ring again
 * (`armQueue`). What is made available after that look comes with a kick. A device that throws ends its own session.
 *
 * {@link run} is the loop. Those who have a loop of their own do the same with its parts:
 *
 * ```ts
 * for (;;) {
 *   worker.control()
 *   if (worker.turn() > 0 || worker.arm()) continue
 *   await somethingOf(worker.fds, worker.roomFds, worker.waitMs) // poll(2), epoll, or a thread that does it
 *   worker.drain()
 * }
 * ```
 */
export class VhostUserWorker {
  readonly #busyPollMs: number
  readonly #pauseMs: number
  readonly #controlMs: number
  readonly #answerMs: number
  /** Until when the next message is likely, by `performance.now()`. */
  #answerUntil = 0
  readonly #wakeFd: number
  readonly #shouldStop: (() => boolean) | undefined
  readonly #paths = new ServedPaths((session, device, onClose) => this.add(session, device, onClose))
  #served: readonly ServedSession[] = []
  readonly #turns = new RingTurns(
    (served, error) => this.#fail(served, error),
    () => this.#memoryLost(),
  )
  readonly #sockets = new PollSet()
  /** What stands at which place of the set before; listening sockets first. */
  #socketFds: readonly number[] = []
  readonly #waiting = new WaitSet()
  #waitingStale = true
  #emptyWakes = 0
  /** Pages of guarded memory that were lost, as last seen. */
  #faults = guardFaults()
  /** Times the loop slept. */
  sleeps = 0

  /** @throws VringError ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT */
  constructor(options: VhostUserWorkerOptions = {}) {
    checkWorkerOptions(options)
    this.#busyPollMs = (options.busyPollUs ?? 50) / 1000
    this.#pauseMs = (options.pauseUs ?? 3) / 1000
    this.#controlMs = (options.controlUs ?? 1000) / 1000
    this.#answerMs = Math.min(this.#busyPollMs, ANSWER_US / 1000)
    this.#wakeFd = options.wakeFd ?? -1
    this.#shouldStop = options.shouldStop
  }

  /**
   * Serves a device at a path, to one frontend after the other.
   *
   * @throws VringError when the endpoint can't be made (path in use, no permission), or the device is none
   */
  serve(path: ServedPath): void {
    this.#paths.serve(path)
  }

  /** Serves a session that is connected, until it is over. */
  add(session: WorkerSession, device: VhostUserDevice, onClose: () => void = () => {}): void {
    session.memory.space.viewsLeft = CONTROL_VIEWS
    this.#served = [...this.#served, new ServedSession(session, device, onClose)]
  }

  /** The sessions that are open. */
  get sessions(): readonly WorkerSession[] {
    return this.#served.map(({ session }) => session)
  }

  /** Nothing is left to serve. */
  get idle(): boolean {
    return this.#served.length === 0 && this.#paths.count === 0
  }

  /**
   * Serves until it is told to stop, or nothing is left to serve. Does not return to JavaScript's event loop meanwhile: give
   * it a worker thread.
   *
   * @returns `stopped` when `shouldStop` said so, `closed` when all sessions are over and it serves no path
   * @throws VringError when an endpoint fails
   */
  run(): 'closed' | 'stopped' {
    for (;;) {
      this.control()
      if (this.idle) return 'closed'
      if (this.#shouldStop?.() === true) return 'stopped'
      if (this.turns() && !this.arm()) {
        const { waitMs } = this
        this.#waiting.wait(this.#shouldStop === undefined ? waitMs : sooner(waitMs, ASK_MS))
        this.sleeps++
      }
    }
  }

  /**
   * Accepts frontends and handles the messages that are there, a bounded number of each session. Never waits.
   *
   * @throws VringError when an endpoint fails
   */
  control(): void {
    this.#memoryLost()
    this.#paths.connect()
    this.#watchSockets()
    this.#sockets.wait(0)
    const listening = this.#paths.count
    for (let i = 0; i < listening; i++) if (this.#sockets.revents(i) !== 0) this.#paths.accept(i)
    // Taken together: what comes while they are handled is looked at the next time.
    const served = this.#served
    let over = false
    for (let i = 0; i < served.length; i++) {
      const { session } = served[i]!
      const ready =
        session.fd < 0 || (i < this.#socketFds.length - listening && this.#sockets.revents(listening + i) !== 0)
      if (!ready && session.patienceMs !== 0 && !session.closed && !served[i]!.pending) continue
      session.memory.space.viewsLeft = CONTROL_VIEWS
      const result = session.poll()
      if (result === 'closed') over = true
      else if (result === 'handled') this.#answerUntil = performance.now() + this.#answerMs
    }
    if (over) this.#dropClosed()
    this.#paths.dropEnded()
    let changed = false
    for (const one of this.#served) if (one.ringsChanged()) changed = true
    if (changed) this.#arrange()
  }

  /**
   * One bounded round over each ring of each session, for about a millisecond. The next turn goes on after the ring
   * that this one ended with. A device that throws ends its session.
   *
   * @returns packets done; at least 1 when time was up, as there may be more
   */
  turn(): number {
    return this.#turnAt(performance.now())
  }

  #turnAt(start: number): number {
    const packets = this.#turns.turn(start)
    if (packets > 0) this.#emptyWakes = 0
    return packets
  }

  /** Ends the sessions whose memory has lost pages: what is written to those the driver does not see. */
  #memoryLost(): boolean {
    const faults = guardFaults()
    if (faults === this.#faults) return false
    this.#faults = faults
    for (const { session } of this.#served) session.checkMemory()
    this.#dropClosed()
    return true
  }

  /** Turns until control is due; true when all rings have been empty, and no message has come, for the busy-polling time. */
  turns(): boolean {
    const start = performance.now()
    if (this.#turns.isEmpty) return start >= this.#answerUntil
    let now = start
    let lastWork = start
    for (;;) {
      const packets = this.#turnAt(now)
      now = performance.now()
      if (packets > 0) lastWork = now
      else if (now < this.#answerUntil) return false
      // Only on empty rings: a frontend that goes on sending messages must not slow those of other sessions.
      else if (now - lastWork >= this.#busyPollMs) return true
      else this.#pause(now)
      if (now - start >= this.#controlMs) return false
    }
  }

  /**
   * Asks all drivers for notifications, then looks again; true: there is work, do not sleep. When it said false many
   * times and no packet came, it waits for the sockets for a millisecond first. What wakes the caller may bring
   * nothing.
   */
  arm(): boolean {
    let more = false
    for (const one of this.#served) {
      try {
        if (one.arm()) more = true
        if (one.fdsChanged()) this.#waitingStale = true
      } catch (error) {
        this.#fail(one, error)
        return true
      }
    }
    this.#watchSockets()
    if (this.#waitingStale) this.#waiting.watch([this.#wakeFd, ...this.#socketFds], this.#served)
    this.#waitingStale = false
    if (!more && ++this.#emptyWakes > EMPTY_WAKES_MAX) this.#sockets.wait(EMPTY_WAKE_MS)
    return more
  }

  /**
   * Descriptors to wait on for being readable, after {@link arm} said false. They are sockets, kicks, `wakeFd`, what
   * devices wait for. It is -1 for one that is not waited for now. Another list when any of them is another: until then
   * a set of epoll(7) can be kept. They stay the worker's: read nothing from them.
   */
  get fds(): readonly number[] {
    return this.#waiting.readable
  }

  /** Descriptors to wait on for being writable, in the same way. */
  get roomFds(): readonly number[] {
    return this.#waiting.writable
  }

  /** How long to wait for {@link fds} and {@link roomFds} at most, in ms; -1: until something happens. */
  get waitMs(): number {
    let { waitMs } = this.#paths
    for (const one of this.#served) waitMs = sooner(waitMs, one.waitMs)
    return waitMs
  }

  /** Takes the kicks that came: to be called after waiting and before {@link turn}, else the next wait ends at once. */
  drain(): void {
    this.#waiting.drain()
  }

  /** Ends all sessions and closes all paths. A second call does nothing. */
  close(): void {
    for (const { session } of this.#served) session.close()
    this.#dropClosed()
    this.#paths.close()
  }

  /**
   * Each look at an empty ring takes the cache line of the driver's index away from the driver. The driver is writing
   * it, and the entries before it.
   */
  #pause(since: number): void {
    const end = since + this.#pauseMs
    while (performance.now() < end);
  }

  #fail({ session }: ServedSession, error: unknown): void {
    session.close(error)
    this.#dropClosed()
    // A session that goes on has no rings here any more.
    this.#arrange()
  }

  #dropClosed(): void {
    const over = this.#served.filter(({ session }) => session.closed)
    if (over.length === 0) return
    this.#served = this.#served.filter(({ session }) => !session.closed)
    this.#arrange()
    for (const one of over) one.onClose()
  }

  #arrange(): void {
    this.#turns.arrange(this.#served)
    this.#waitingStale = true
  }

  /** Nothing is allocated while nothing changes. */
  #watchSockets(): void {
    const count = this.#paths.count + this.#served.length
    let same = count === this.#socketFds.length
    for (let i = 0; same && i < count; i++) same = this.#socketFd(i) === this.#socketFds[i]
    if (same) return
    this.#socketFds = Array.from({ length: count }, (_, i) => this.#socketFd(i))
    this.#sockets.watch(this.#socketFds)
    this.#waitingStale = true
  }

  #socketFd(index: number): number {
    const paths = this.#paths.count
    return index < paths ? this.#paths.fd(index) : this.#served[index - paths]!.session.fd
  }
}
