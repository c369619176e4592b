import { turnKey } from '../cell/cell-spec.ts'
import { conformanceMarks } from '../conformance/conformance-mark.ts'
import { PLACEMENTS } from '../placement/classes.ts'
import type { Comparison, Results } from '../results/results.ts'
import { shortCellNames } from '../results/varied-conditions.ts'
import { tooFewTrialsOf, tooFewTrialsText } from '../run/too-few-trials.ts'
import { formatRate, formatRatio } from '../terminal/format.ts'
import { resultComparisons } from './report-gains.ts'
import { againstName, claimsSummary, comparedNames } from './report-tables.ts'

/** Comparisons that are told one by one. */
const TOLD = 8

/** The one figure of a report, and the sentence that it is of. */
export interface Headline {
  readonly figure: string
  readonly sentence: string
}

/**
 * What a run came to. That is the most that an accessor has of a peer's rate, else the largest difference between two,
 * else that there is none. A plugin that does not conform is no accessor. Null: there is nothing to compare.
 */
export function headline(results: Results): Headline | null {
  const markOf = conformanceMarks(results)
  const nameOf = comparedNames(results, shortCellNames)
  const shown = resultComparisons(results).filter(({ after }) => markOf(after) === '')
  const peer = ofPeer(results, markOf)
  if (peer !== null) return peer
  const far = (one: Comparison): number => Math.abs(Math.log(one.ratio.median))
  const [most] = shown.filter(({ verdict }) => verdict !== 'no change').toSorted((a, b) => far(b) - far(a))
  if (most !== undefined) {
    const { before, after, ratio } = most
    return {
      figure: `${ratio.median.toFixed(2)} ×`,
      sentence: `${nameOf(after)} against ${againstName(before, after, nameOf)}, ${whereMeasured(most)}; 95 % interval ${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}.`,
    }
  }
  const references = [...new Set(shown.map(({ before, after }) => againstName(before, after, nameOf)))]
  if (references.length > 0)
    return {
      figure: 'no change',
      sentence: `Nothing that was measured differs from ${references.join(' or ')} by more than chance makes it.`,
    }
  const [only] = results.cells.filter(({ measured }) => measured !== null)
  if (only === undefined || only.measured!.classes !== undefined) return null
  const { median, low, high } = only.measured!.mpps
  return {
    figure: `${formatRate(median)} Mpps`,
    sentence: `${nameOf(only.id)}, measured here; 95 % interval ${formatRate(low)} to ${formatRate(high)}.`,
  }
}

function ofPeer({ peers, cells }: Results, markOf: (id: string) => string): Headline | null {
  const nameOf = comparedNames({ cells }, shortCellNames)
  const ratios = peers.flatMap(({ name, version, ratios = [] }) =>
    ratios.filter(({ cell }) => markOf(cell) === '').map((one) => ({ peer: `${name} ${version}`, ...one })),
  )
  const place = PLACEMENTS.find((candidate) => ratios.some((one) => one.class === candidate))
  const [most] = ratios.filter((one) => one.class === place).toSorted((a, b) => b.ratio.median - a.ratio.median)
  if (most === undefined) return null
  const { low, high, median } = most.ratio
  return {
    figure: `${median.toFixed(2)} ×`,
    sentence: `${nameOf(most.cell)} against ${most.peer}, ${whereMeasured(most)}; 95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}.`,
  }
}

function whereMeasured({ class: place }: Pick<Comparison, 'class'>): string {
  return place === undefined ? 'measured here' : `measured here, cores ${place}`
}

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
  const nameOf = comparedNames(results, shortCellNames)
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
