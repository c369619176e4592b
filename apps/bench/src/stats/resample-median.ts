import type { Random } from './random.ts'

/**
 * Values that were measured, or those of each sitting. Values of one sitting have something in common, and are not as
 * many independent ones as they are.
 */
export type Sample = readonly number[] | readonly (readonly number[])[]

export function valuesOf(sample: Sample): readonly number[] {
  return sittingsOf(sample).flat()
}

function sittingsOf(sample: Sample): readonly (readonly number[])[] {
  return typeof sample[0] === 'number' ? [sample as readonly number[]] : (sample as readonly (readonly number[])[])
}

/**
 * Medians of resamples. As many sittings as there are, are drawn with replacement, and of each as many values as it
 * has. (It is the two-stage bootstrap of Davison and Hinkley, Bootstrap Methods and their Application, section 3.8.)
 * Without sittings this is the plain bootstrap.
 *
 * A resample is nothing but how often each value was drawn. So draws are counted by the rank of their value, and a walk
 * over the counts finds the middle. Nothing is put together or sorted, as there are thousands of resamples for each
 * interval.
 */
export class ResampleMedian {
  private readonly ascending: Float64Array
  /** Rank of each value, by sitting, in the order given: what is drawn is an index into that order. */
  private readonly ranks: readonly Uint32Array[]
  private readonly counts: Uint32Array

  constructor(sample: Sample) {
    const sittings = sittingsOf(sample).filter(({ length }) => length > 0)
    const values = sittings.flat()
    const order = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]!)
    this.ascending = Float64Array.from(order, (index) => values[index]!)
    const ranks = new Uint32Array(values.length)
    order.forEach((index, rank) => {
      ranks[index] = rank
    })
    let end = 0
    this.ranks = sittings.map(({ length }) => {
      const start = end
      end += length
      return ranks.subarray(start, end)
    })
    this.counts = new Uint32Array(values.length)
  }

  /** The median of the next resample, as `median` gives it. NaN for no values. */
  next(random: Random): number {
    const { ascending, counts } = this
    const sittings = this.ranks.length
    if (sittings === 0) return Number.NaN
    for (let rank = 0; rank < counts.length; rank++) counts[rank] = 0
    let n = 0
    for (let sitting = 0; sitting < sittings; sitting++) {
      const ranks = this.ranks[sittings === 1 ? 0 : (random() * sittings) | 0]!
      const { length } = ranks
      n += length
      for (let draw = 0; draw < length; draw++) counts[ranks[(random() * length) | 0]!]!++
    }
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
