import { quantileSorted } from './stats/index.ts'

/** What packets took between looks at a clock and at a count of them: where packets are not in the hands of who measures. */
export class LookTimes {
  readonly #nsPerPacket: number[] = []
  #then: number
  #count: number

  /**
   * @param now ms
   * @param count packets so far
   */
  constructor(now: number, count: number) {
    this.#then = now
    this.#count = count
  }

  /** A look. One that finds no packet is part of the next: the wait is that packet's. */
  look(now: number, count: number): void {
    if (count <= this.#count) return
    this.#nsPerPacket.push((1e6 * (now - this.#then)) / (count - this.#count))
    this.#then = now
    this.#count = count
  }

  /** Median and 99th percentile of the stretches between looks. At least one look found packets. */
  nsPerPacket(): { median: number; p99: number } {
    const ascending = Float64Array.from(this.#nsPerPacket).sort()
    return { median: quantileSorted(ascending, 0.5), p99: quantileSorted(ascending, 0.99) }
  }
}
