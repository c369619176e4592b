import type { Comparison, Results } from '../results/results.ts'
import { holm, mannWhitney } from '../stats/index.ts'
import { SIGNIFICANCE } from './compare-cells.ts'

/** Comparisons that found no change because they could find none. */
export interface TooFewTrials {
  /** How many of the comparisons: with as many trials no difference is large enough for the rank test. */
  readonly comparisons: number
  readonly of: number
  /** Trials a side from which on each comparison could come out as a difference. */
  readonly needed: number
}

/**
 * Comparisons whose verdict is "no change" whatever was measured. Ranks of so few trials can't be unlikely enough for
 * the correction over all of them: 3 trials against 3 are in one order of 20 by chance. Null: there are none.
 *
 * @param trials how many each comparison has before and after, in the same order
 */
export function tooFewTrials(
  comparisons: readonly Pick<Comparison, 'verdict'>[],
  trials: readonly (readonly [number, number])[],
): TooFewTrials | null {
  const best = holm(trials.map(([before, after]) => leastP(before, after)))
  const untold = comparisons.filter(({ verdict }, index) => verdict === 'no change' && best[index]! >= SIGNIFICANCE)
  if (untold.length === 0) return null
  let needed = 1
  while (leastP(needed, needed) * comparisons.length >= SIGNIFICANCE) needed++
  return { comparisons: untold.length, of: comparisons.length, needed }
}

/** {@link tooFewTrials} of a run's own comparisons. */
export function tooFewTrialsOf({
  cells,
  comparisons = [],
}: Pick<Results, 'cells' | 'comparisons'>): TooFewTrials | null {
  const counts = new Map(cells.map(({ id, measured }) => [id, measured?.trials.length ?? 0]))
  const count = (id: string): number => counts.get(id) ?? 0
  return tooFewTrials(
    comparisons,
    comparisons.map(({ before, after, slices }) => [slices?.[0] ?? count(before), slices?.[1] ?? count(after)]),
  )
}

/** For people, without a full stop. */
export function tooFewTrialsText({ comparisons, of, needed }: TooFewTrials): string {
  return `too few trials to tell ${comparisons} of ${of}: at least ${needed} a side`
}

const known = new Map<string, number>()

/** The least probability that the rank test gives `n` values against `m`: of samples that do not overlap. */
function leastP(n: number, m: number): number {
  const key = `${n},${m}`
  const p = known.get(key) ?? mannWhitney(upTo(n, 0), upTo(m, n)).p
  known.set(key, p)
  return p
}

function upTo(count: number, from: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index)
}
