import { WORK_PER_LOOK, work } from '@vring/memory'
import type { ServedSession } from './served-session.ts'

/** How long a turn over the rings goes on, in ms: then it stops after the ring in hand, and the next one begins there. */
const TURN_MS = 1
/** Work after which it looks at the clock again: that takes longer than a look at an empty ring. */
const CLOCK_WORK = WORK_PER_LOOK / 4
/**
 * What each ring counts beside the work that its device charges: every fourth time the clock is looked at, whatever
 * that is.
 */
const RING_WORK = CLOCK_WORK / 4

/** Turns over every running ring of every session, each ring with its bounded round. */
export class RingTurns {
  readonly #onThrow: (served: ServedSession, error: unknown) => void
  readonly #memoryLost: () => boolean
  #served: readonly ServedSession[] = []
  #rings: readonly { readonly served: ServedSession; readonly index: number }[] = []
  /** Where the next turn begins. */
  #nextRing = 0
  /** The session that makes a view in this turn. */
  #viewTurn = 0

  /**
   * @param onThrow a device threw
   * @param memoryLost looks whether pages of memory were lost; true: sessions may have ended
   */
  constructor(onThrow: (served: ServedSession, error: unknown) => void, memoryLost: () => boolean) {
    this.#onThrow = onThrow
    this.#memoryLost = memoryLost
  }

  /** No ring runs. */
  get isEmpty(): boolean {
    return this.#rings.length === 0
  }

  /** Takes the rings of these sessions, as they are now. */
  arrange(served: readonly ServedSession[]): void {
    this.#served = served
    this.#rings = served.flatMap((one) => one.queues.map((index) => ({ served: one, index })))
  }

  /**
   * One turn: see `VhostUserWorker.turn`.
   *
   * @param start the time, by `performance.now()`
   */
  turn(start: number): number {
    const rings = this.#rings
    const count = rings.length
    this.#allowView()
    let at = this.#nextRing < count ? this.#nextRing : 0
    let packets = 0
    let spent = 0
    for (let left = count; left > 0; left--) {
      const { served, index } = rings[at]!
      at = at + 1 === count ? 0 : at + 1
      work.begin()
      try {
        packets += served.device.serveQueue(index)
      } catch (error) {
        this.#onThrow(served, error)
        break
      }
      if (this.#memoryLost()) break
      spent += RING_WORK + work.spent
      if (left === 1 || spent < CLOCK_WORK) continue
      spent = 0
      if (performance.now() - start >= TURN_MS) {
        packets ||= 1
        break
      }
    }
    this.#nextRing = at
    return packets
  }

  /** In each turn another session may make a view of memory that no address led into before: that takes long. */
  #allowView(): void {
    const served = this.#served
    this.#viewTurn = this.#viewTurn + 1 < served.length ? this.#viewTurn + 1 : 0
    for (let i = 0; i < served.length; i++) {
      const { space } = served[i]!.session.memory
      space.viewsLeft = i === this.#viewTurn ? 1 : 0
      space.deferred = false
    }
  }
}
