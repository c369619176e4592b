import { median, quantileSorted, sorted } from './quantile.ts'
import type { Random } from './random.ts'

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
export function medianInterval(values: readonly number[], random: Random, level = 0.95): Interval {
  const medians = resample(() => median(draw(values, random)))
  return interval(median(values), medians, level)
}

/** Ratio of medians after / before with its bootstrap interval, each side resampled on its own. */
export function ratioInterval(
  before: readonly number[],
  after: readonly number[],
  random: Random,
  level = 0.95,
): Interval {
  const ratios = resample(() => median(draw(after, random)) / median(draw(before, random)))
  return interval(median(after) / median(before), ratios, level)
}

/** Trials of a cell and of what it is held against, in one run. */
export interface HeldAgainst {
  readonly cell: readonly number[]
  readonly reference: readonly number[]
}

/**
 * How a ratio to a reference changed from one run to another: (after.cell / after.reference) / (before.cell /
 * before.reference), of medians, with its bootstrap interval; all four series resampled on their own. A machine that was
 * slower in one of the runs falls out.
 */
export function ratioChangeInterval(before: HeldAgainst, after: HeldAgainst, random: Random, level = 0.95): Interval {
  const change = (of: (values: readonly number[]) => number): number =>
    of(after.cell) / of(after.reference) / (of(before.cell) / of(before.reference))
  const changes = resample(() => change((values) => median(draw(values, random))))
  return interval(change(median), changes, level)
}

function resample(statistic: () => number): number[] {
  return sorted(Array.from({ length: RESAMPLES }, statistic))
}

function draw(values: readonly number[], random: Random): number[] {
  return Array.from(values, () => values[Math.floor(random() * values.length)]!)
}

function interval(estimate: number, ascending: readonly number[], level: number): Interval {
  const tail = (1 - level) / 2
  return { median: estimate, low: quantileSorted(ascending, tail), high: quantileSorted(ascending, 1 - tail) }
}
