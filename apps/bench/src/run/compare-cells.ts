import type { CellResult, Comparison } from '../results.ts'
import { holm, mannWhitney, type Random, ratioInterval } from '../stats/index.ts'

/** Chance of one false alarm among all comparisons of a run. */
export const SIGNIFICANCE = 0.05

/** Two series of trials that belong together. */
export interface Pair {
  readonly before: string
  readonly after: string
  readonly trialsBefore: readonly number[]
  readonly trialsAfter: readonly number[]
}

/**
 * Ratio with interval and rank test for each pair. A difference counts when the test, Holm-corrected over all pairs, says
 * so and the interval of the ratio leaves out 1.
 */
export function comparePairs(pairs: readonly Pair[], random: Random): Comparison[] {
  const adjusted = holm(pairs.map(({ trialsBefore, trialsAfter }) => mannWhitney(trialsAfter, trialsBefore).p))
  return pairs.map(({ before, after, trialsBefore, trialsAfter }, index) => {
    const ratio = ratioInterval(trialsBefore, trialsAfter, random)
    const p = adjusted[index]!
    const differs = p < SIGNIFICANCE && (ratio.low > 1 || ratio.high < 1)
    return { before, after, ratio, p, verdict: differs ? (ratio.median > 1 ? 'faster' : 'slower') : 'no change' }
  })
}

/** Every cell against the reference of its group: copy-checked where there is one, else the first accessor. */
export function pairsOfGroup(cells: readonly CellResult[]): Pair[] {
  const measured = cells.filter((cell) => cell.measured !== null && cell.role !== 'floor')
  const reference = measured.find((cell) => cell.accessor === 'copy-checked') ?? measured[0]
  if (reference === undefined) return []
  return measured
    .filter((cell) => cell !== reference)
    .map((cell) => ({
      before: reference.id,
      after: cell.id,
      trialsBefore: reference.measured!.trials,
      trialsAfter: cell.measured!.trials,
    }))
}
