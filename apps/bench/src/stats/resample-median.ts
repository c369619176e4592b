import type { Random } from './random.ts'

/**
 * Medians of resamples, which are as many values as there are, drawn with replacement.
 *
 * A resample is nothing but how often each value was drawn, so draws are counted by the rank of their value, and a walk over
 * the counts finds the middle: nothing is put together or sorted, as there are thousands of resamples for each interval.
 */
export class ResampleMedian {
  private readonly ascending: Float64Array
  /** Rank of each value, in the order given: what is drawn is an index into that order. */
  private readonly ranks: Uint32Array
  private readonly counts: Uint32Array

  constructor(values: readonly number[]) {
    const order = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]!)
    this.ascending = Float64Array.from(order, (index) => values[index]!)
    this.ranks = new Uint32Array(values.length)
    order.forEach((index, rank) => {
      this.ranks[index] = rank
    })
    this.counts = new Uint32Array(values.length)
  }

  /** The median of the next resample, as `median` gives it; draws once for each value. NaN for no values. */
  next(random: Random): number {
    const { ascending, ranks, counts } = this
    const n = ranks.length
    if (n === 0) return Number.NaN
    for (let rank = 0; rank < n; rank++) counts[rank] = 0
    for (let draw = 0; draw < n; draw++) counts[ranks[(random() * n) | 0]!]!++
    const below = (n - 1) >> 1
    let rank = 0
    let seen = counts[0]!
    while (seen <= below) seen += counts[++rank]!
    const low = ascending[rank]!
    // One value is in the middle, or both are equal.
    if (n % 2 === 1 || seen > below + 1) return low
    do rank++
    while (counts[rank] === 0)
    return low + (ascending[rank]! - low) * 0.5
  }
}
