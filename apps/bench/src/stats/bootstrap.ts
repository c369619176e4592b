import { median, quantileSorted } from './quantile.ts'
import type { Random } from './random.ts'
import { ResampleMedian, type Sample, valuesOf } from './resample-median.ts'

/** A point estimate and the interval around it. */
export interface Interval {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** Enough that the interval's ends move by less than a percent of its width between seeds. */
const RESAMPLES = 2000

/**
 * Median with its percentile-bootstrap interval: the spread of the medians of resamples drawn with replacement.
 *
 * @param level coverage, 0.95 for a 95 % interval
 */
export function medianInterval(sample: Sample, random: Random, level = 0.95): Interval {
  const draws = new ResampleMedian(sample)
  const medians = resample(() => draws.next(random))
  return interval(median(valuesOf(sample)), medians, level)
}

/** Ratio of medians after / before with its bootstrap interval, each side resampled on its own. */
export function ratioInterval(before: Sample, after: Sample, random: Random, level = 0.95): Interval {
  const [above, below] = [new ResampleMedian(after), new ResampleMedian(before)]
  const ratios = resample(() => above.next(random) / below.next(random))
  return interval(median(valuesOf(after)) / median(valuesOf(before)), ratios, level)
}

/** Trials of a cell and of what it is held against, in one run. */
export interface HeldAgainst {
  readonly cell: readonly number[]
  readonly reference: readonly number[]
}

/**
 * How a ratio to a reference changed from one run to another: (after.cell / after.reference) / (before.cell /
 * before.reference), of medians, with its bootstrap interval. All four series are resampled on their own. A machine
 * that was slower in one of the runs falls out.
 */
export function ratioChangeInterval(before: HeldAgainst, after: HeldAgainst, random: Random, level = 0.95): Interval {
  const [fresh, kept] = [heldDraws(after), heldDraws(before)]
  const draw = ({ cell, reference }: HeldDraws): number => cell.next(random) / reference.next(random)
  const of = ({ cell, reference }: HeldAgainst): number => median(cell) / median(reference)
  return interval(
    of(after) / of(before),
    resample(() => draw(fresh) / draw(kept)),
    level,
  )
}

interface HeldDraws {
  readonly cell: ResampleMedian
  readonly reference: ResampleMedian
}

function heldDraws({ cell, reference }: HeldAgainst): HeldDraws {
  return { cell: new ResampleMedian(cell), reference: new ResampleMedian(reference) }
}

/** The statistic of each resample, ascending. */
function resample(statistic: () => number): Float64Array {
  const values = new Float64Array(RESAMPLES)
  for (let i = 0; i < RESAMPLES; i++) values[i] = statistic()
  return values.sort()
}

function interval(estimate: number, ascending: ArrayLike<number>, level: number): Interval {
  const tail = (1 - level) / 2
  return { median: estimate, low: quantileSorted(ascending, tail), high: quantileSorted(ascending, 1 - tail) }
}
