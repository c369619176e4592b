import { POLLIN, PollSet } from '@vring/linux'
import type { BackendSession } from './backend-session.ts'
import type { VhostUserDevice } from './device.ts'
import type { RingEvent } from './session-host.ts'

export interface VhostUserWorkerOptions {
  readonly session: BackendSession
  readonly device: VhostUserDevice
  /** How long to go on looking at empty rings before sleeping, in microseconds. Default 50; Infinity never sleeps. */
  readonly busyPollUs?: number
  /**
   * How long to leave empty rings alone before looking again, in microseconds. Default 3, in which a fast driver fills a
   * batch; 0 looks again at once.
   */
  readonly pauseUs?: number
  /** How often to look for control messages while packets flow, in microseconds. Default 1000. */
  readonly controlUs?: number
  /** A descriptor that wakes the worker from another thread: an eventfd that {@link shouldStop} explains. */
  readonly wakeFd?: number
  /** Asked after every wake-up and every {@link controlUs}; true ends {@link VhostUserWorker.run}. Default never. */
  readonly shouldStop?: () => boolean
}

const NO_FDS: readonly number[] = []

/**
 * The loop of one session: serves its rings, looks at the control socket between rounds, and sleeps in one poll(2) over
 * the socket and the kicks when the rings have been empty for a while.
 *
 * No wake-up is lost: before it sleeps it asks the driver of every ring for notifications and looks at the ring once
 * more (`armQueue`); what is made available after that look comes with a kick.
 */
export class VhostUserWorker {
  readonly #session: BackendSession
  readonly #device: VhostUserDevice
  readonly #busyPollMs: number
  readonly #pauseMs: number
  readonly #controlMs: number
  readonly #wakeFd: number | null
  readonly #shouldStop: () => boolean
  readonly #poll = new PollSet()
  #watched = -1
  #watchedFds: readonly number[] = NO_FDS
  #watchedRoom: readonly number[] = NO_FDS
  /** Of the rings that have one; in the set they stand together, in this order. */
  #kicks: readonly RingEvent[] = []
  #firstKick = 0
  /** Times the loop slept. */
  sleeps = 0

  constructor(options: VhostUserWorkerOptions) {
    this.#session = options.session
    this.#device = options.device
    this.#busyPollMs = (options.busyPollUs ?? 50) / 1000
    this.#pauseMs = (options.pauseUs ?? 3) / 1000
    this.#controlMs = (options.controlUs ?? 1000) / 1000
    this.#wakeFd = options.wakeFd ?? null
    this.#shouldStop = options.shouldStop ?? (() => false)
  }

  /**
   * Serves until the session is over or it is told to stop. Does not return to JavaScript's event loop meanwhile: give
   * it a worker thread.
   *
   * @returns `closed` when the session ended (it is closed then), `stopped` when `shouldStop` said so
   */
  run(): 'closed' | 'stopped' {
    try {
      for (;;) {
        if (this.#session.poll() === 'closed') return 'closed'
        if (this.#shouldStop()) return 'stopped'
        if (this.#serve()) this.#sleep()
      }
    } catch (error) {
      // A device broke its promise not to throw: this session ends, the process goes on.
      this.#session.close(error)
      return 'closed'
    }
  }

  /** Rounds until control is due; true when all rings have been empty for the busy-polling time. */
  #serve(): boolean {
    const queues = this.#session.activeQueues
    const device = this.#device
    if (queues.length === 0) return true
    const start = performance.now()
    let lastWork = start
    for (;;) {
      let packets = 0
      for (let i = 0; i < queues.length; i++) packets += device.serveQueue(queues[i]!)
      const now = performance.now()
      if (packets > 0) lastWork = now
      else if (now - lastWork >= this.#busyPollMs) return true
      else this.#pause(now)
      if (now - start >= this.#controlMs) return false
    }
  }

  /**
   * Each look at an empty ring takes the cache line of avail.idx away from the driver, who is writing it and the entries
   * behind it.
   */
  #pause(since: number): void {
    const end = since + this.#pauseMs
    while (performance.now() < end);
  }

  #sleep(): void {
    const session = this.#session
    let polled = false
    let more = false
    for (const index of session.activeQueues) {
      if (session.vrings[index]!.polled) polled = true
      if (this.#device.armQueue(index)) more = true
    }
    if (more) return
    const { wakeFds = NO_FDS, roomFds = NO_FDS, sleepMs = -1 } = this.#device
    if (this.#watched !== session.generation || this.#watchedFds !== wakeFds || this.#watchedRoom !== roomFds)
      this.#watch(wakeFds, roomFds)
    // A ring without a kick has to be looked at; it costs the CPU that its frontend chose to pay.
    this.#poll.wait(polled ? 0 : sooner(sleepMs, session.patienceMs))
    this.sleeps++
    this.#drainKicks()
  }

  /** Only those that were kicked: the others cost no call. */
  #drainKicks(): void {
    const first = this.#firstKick
    for (const [i, kick] of this.#kicks.entries()) if ((this.#poll.revents(first + i) & POLLIN) !== 0) kick.drain()
  }

  #watch(wakeFds: readonly number[], roomFds: readonly number[]): void {
    const { vrings, fd, generation } = this.#session
    const others = [fd, ...(this.#wakeFd === null ? [] : [this.#wakeFd]), ...wakeFds]
    this.#kicks = vrings.flatMap((vring) => (vring.kick === null ? [] : [vring.kick]))
    this.#firstKick = others.length
    this.#poll.watch([...others, ...this.#kicks.map((kick) => kick.fd)], roomFds)
    this.#watched = generation
    this.#watchedFds = wakeFds
    this.#watchedRoom = roomFds
  }
}

/** The shorter of two times in ms, of which -1 is for ever. */
function sooner(one: number, other: number): number {
  if (one < 0) return other
  return other < 0 ? one : Math.min(one, other)
}
