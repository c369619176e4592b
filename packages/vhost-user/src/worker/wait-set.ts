import { POLLIN, PollSet } from '@vring/linux'
import type { RingEvent } from '../host/session-host.ts'
import type { ServedSession } from './served-session.ts'

/** The descriptors that a worker sleeps on, in one poll(2): control, devices, kicks. */
export class WaitSet {
  readonly #poll = new PollSet()
  #readable: readonly number[] = []
  #writable: readonly number[] = []
  /** In the set they stand together, in this order. */
  #kicks: readonly RingEvent[] = []
  #firstKick = 0

  /** To wait for being readable. */
  get readable(): readonly number[] {
    return this.#readable
  }

  /** To wait for being writable. */
  get writable(): readonly number[] {
    return this.#writable
  }

  /** Replaces the set. @param control sockets and the descriptor that wakes the worker */
  watch(control: readonly number[], sessions: readonly ServedSession[]): void {
    const others = [...control, ...sessions.flatMap(({ wakeFds }) => wakeFds)]
    this.#kicks = sessions.flatMap(({ kicks }) => kicks)
    this.#firstKick = others.length
    this.#readable = [...others, ...this.#kicks.map(({ fd }) => fd)]
    this.#writable = sessions.flatMap(({ roomFds }) => roomFds)
    this.#poll.watch(this.#readable, this.#writable)
  }

  /** Waits, and drains the kicks that came: the others cost no call. */
  wait(timeoutMs: number): void {
    this.#poll.wait(timeoutMs)
    const first = this.#firstKick
    for (const [i, kick] of this.#kicks.entries()) if ((this.#poll.revents(first + i) & POLLIN) !== 0) kick.drain()
  }

  /** Drains every kick, for those who waited by themselves. */
  drain(): void {
    for (const kick of this.#kicks) kick.drain()
  }
}
