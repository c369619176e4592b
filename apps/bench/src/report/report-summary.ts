import { turnKey } from '../cell-spec.ts'
import { formatRatio } from '../format.ts'
import type { Results } from '../results.ts'
import { tooFewTrialsOf, tooFewTrialsText } from '../run/too-few-trials.ts'
import { resultComparisons } from './report-gains.ts'
import { againstName, claimsSummary, comparedNames } from './report-tables.ts'

/** Comparisons that are told one by one. */
const TOLD = 8

/** The result in a few sentences, for a reader of nothing else. */
export function reportSummary(results: Results): string[] {
  const { claims } = results
  const few = tooFewTrialsOf(results)
  return [
    ...comparisonSentences(results),
    ...(few === null || resultComparisons(results).length === 0
      ? []
      : [`“No change” may be ${tooFewTrialsText(few)}.`]),
    ...agreement(results),
    ...(claims.length > 0 ? [`Published claims: ${claimsSummary(claims).counts}.`] : []),
  ]
}

function comparisonSentences(results: Results): string[] {
  const shown = resultComparisons(results)
  const nameOf = comparedNames(results)
  if (shown.length <= TOLD)
    return shown.map(
      ({ before, after, ratio, verdict, class: place }) =>
        `Measured${place === undefined ? '' : `, cores ${place}`}: ${nameOf(after)} has ${formatRatio(ratio)} times the rate of ${againstName(before, after, nameOf)}: ${verdict}.`,
    )
  return [`Measured, of ${shown.length} comparisons: ${tally(shown.map(({ verdict }) => verdict))}.`]
}

/** `3 faster, 45 no change`. */
export function tally(words: readonly string[]): string {
  return [...new Set(words)].map((word) => `${words.filter((one) => one === word).length} ${word}`).join(', ')
}

/** Whether cells that move the same frames, whatever accessor and ring, delivered the same. */
function agreement({ cells }: Results): string[] {
  const hashes = new Map<string, Set<string>>()
  let compared = 0
  for (const cell of cells) {
    if (cell.hash === null) continue
    const ofGroup = hashes.get(turnKey(cell)) ?? new Set()
    hashes.set(turnKey(cell), ofGroup.add(cell.hash))
    compared++
  }
  if (compared <= hashes.size) return []
  const differing = [...hashes.values()].filter(({ size }) => size > 1).length
  return [
    differing === 0
      ? 'All cells gave the same result: frames and verdicts, by their hash.'
      : `The cells do not give the same result: hashes differ under ${differing} of ${hashes.size} conditions.`,
  ]
}
