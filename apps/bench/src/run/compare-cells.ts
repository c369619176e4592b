import { cellLabel, groupKey, USUAL_VARIANT, VARIANT_KEYS, variantOf } from '../cell/cell-spec.ts'
import { isBuiltIn } from '../load-registry.ts'
import { PLACEMENTS, type Placement } from '../placement/classes.ts'
import type { CellResult, Comparison, Results } from '../results/results.ts'
import { bySitting, pairedRatios, slicesIn } from '../slices/class-rates.ts'
import { SLICES_A_ROW } from '../slices/slice-times.ts'
import { holm, mannWhitney, medianInterval, type Random, ratioInterval, type Sample, valuesOf } from '../stats/index.ts'
import { floorFor } from './noise-floor.ts'

/** Chance of one false alarm among all comparisons of a run. */
export const SIGNIFICANCE = 0.05

/** Two series of trials that belong together. */
export interface Pair {
  readonly before: string
  readonly after: string
  /** Where the cores were in all of these trials; null: both cells have one core. */
  readonly class: Placement | null
  readonly trialsBefore: Sample
  readonly trialsAfter: Sample
  /** After over before of slices that ran one after the other; null: they are of two runs, or no slices. */
  readonly ratios: Sample | null
  /** No verdict on a smaller difference, as a factor less 1; null: it is not known. */
  readonly floor: number | null
}

/**
 * Ratio with interval and rank test for each pair. A difference counts when the test, Holm-corrected over all pairs,
 * says so, and the interval of the ratio leaves out 1. The ratio also has to be further from 1 than a cell against
 * itself. Slices count from {@link SLICES_A_ROW} of a class on, and where the floor of the class is known.
 */
export function comparePairs(pairs: readonly Pair[], random: Random): Comparison[] {
  const adjusted = holm(
    pairs.map(({ trialsBefore, trialsAfter }) => mannWhitney(valuesOf(trialsAfter), valuesOf(trialsBefore)).p),
  )
  return pairs.map((pair, index) => {
    const { before, after, class: place, floor } = pair
    const ratio = ratioOf(pair, random)
    const p = adjusted[index]!
    const differs = p < SIGNIFICANCE && (ratio.low > 1 || ratio.high < 1) && isBeyond(ratio.median, pair)
    return {
      before,
      after,
      ratio,
      p,
      verdict: differs ? (ratio.median > 1 ? 'faster' : 'slower') : 'no change',
      ...(place === null
        ? {}
        : { class: place, slices: [valuesOf(pair.trialsBefore).length, valuesOf(pair.trialsAfter).length] }),
      ...(floor === null ? {} : { floor }),
    }
  })
}

function ratioOf({ ratios, trialsBefore, trialsAfter }: Pair, random: Random): Comparison['ratio'] {
  return ratios !== null && ratios.length > 0
    ? medianInterval(ratios, random)
    : ratioInterval(trialsBefore, trialsAfter, random)
}

function isBeyond(ratio: number, { floor, class: place, trialsBefore, trialsAfter }: Pair): boolean {
  if (place === null) return Math.max(ratio, 1 / ratio) - 1 > (floor ?? 0)
  const slices = Math.min(valuesOf(trialsBefore).length, valuesOf(trialsAfter).length)
  if (floor === null || slices < SLICES_A_ROW) return false
  return Math.max(ratio, 1 / ratio) - 1 > floor
}

/**
 * Every cell of a group against two. One is the reference under its own conditions: copy-checked where there is one,
 * else the first accessor that is built in. The other is the same accessor over another ring, or in another build,
 * where only that differs.
 */
export function pairsOfGroup(cells: readonly CellResult[], noiseFloor: Results['noiseFloor']): Pair[] {
  const measured = cells.filter((cell) => cell.measured !== null && cell.role !== 'floor')
  const against = (before: CellResult, after: CellResult): Pair[] =>
    pairsOfCells(before, after, (place) => floorFor(noiseFloor, place), true)
  const accessors = [...new Set(measured.map(groupKey))].flatMap((key) => {
    const same = measured.filter((cell) => groupKey(cell) === key)
    const reference =
      same.find((cell) => cell.accessor === 'copy-checked') ?? same.find((cell) => isBuiltIn('accessor', cell.accessor))
    if (reference === undefined) return []
    return same.filter((cell) => cell !== reference).flatMap((cell) => against(reference, cell))
  })
  const variants = measured.flatMap((cell) => variantsBefore(cell, measured).flatMap((other) => against(other, cell)))
  return [...accessors, ...variants]
}

/**
 * Cells that this one is a variant of: they differ in one key, of which they have the usual value, or the first one
 * measured.
 */
function variantsBefore(cell: CellResult, cells: readonly CellResult[]): CellResult[] {
  const own = variantOf(cell)
  const same = cells.filter((other) => cellLabel(other.id) === cellLabel(cell.id))
  return VARIANT_KEYS.flatMap((key) => {
    const others = same.filter((other) =>
      VARIANT_KEYS.every((one) => one === key || variantOf(other)[one] === own[one]),
    )
    const usual = others.find((other) => variantOf(other)[key] === USUAL_VARIANT[key]) ?? others[0]!
    return usual === cell ? [] : [usual]
  })
}

/**
 * Two cells in every class that both have, or as they are where neither has classes. One with classes and one without,
 * such as of a file of an older version, have nothing in common.
 *
 * @param oneRun their slices ran in turn
 */
export function pairsOfCells(
  before: CellResult,
  after: CellResult,
  floorOf: (place: Placement | null) => number | null,
  oneRun: boolean,
): Pair[] {
  const [one, other] = [before.measured, after.measured]
  if (one === null || other === null) return []
  const ids = { before: before.id, after: after.id }
  const { classes, slices } = one
  if (classes === undefined && other.classes === undefined)
    return [
      { ...ids, class: null, trialsBefore: one.trials, trialsAfter: other.trials, ratios: null, floor: floorOf(null) },
    ]
  if (classes === undefined || other.classes === undefined || slices === undefined || other.slices === undefined)
    return []
  const later = other.slices
  return PLACEMENTS.filter((place) => classes[place] !== null && other.classes![place] !== null).map((place) => ({
    ...ids,
    class: place,
    trialsBefore: bySitting(slicesIn(slices, place)),
    trialsAfter: bySitting(slicesIn(later, place)),
    ratios: oneRun ? pairedRatios(slices, later, place) : null,
    floor: floorOf(place),
  }))
}
