import { BASELINE, groupKey } from '../cell/cell-spec.ts'
import { PLACEMENTS, type Placement } from '../placement/classes.ts'
import type { CellResult, Results } from '../results/results.ts'
import { pairedRatios, slicesIn } from '../slices/class-rates.ts'
import { SLICES_A_ROW } from '../slices/slice-times.ts'
import {
  type HeldAgainst,
  type Interval,
  median,
  type Random,
  ratioChangeInterval,
  ratioInterval,
  type Sample,
  valuesOf,
} from '../stats/index.ts'
import { floorOfBoth } from './noise-floor.ts'

/** A ratio that both runs have. */
export interface RatioMove {
  readonly cell: string
  /** What it is held against in its own run: the floor of its group, else copy-checked. */
  readonly reference: string
  /** Where the cores were in both runs; absent: driver and device have one. */
  readonly class?: Placement
  /** Median rate of the cell / median rate of the reference. */
  readonly kept: number
  readonly fresh: number
  /** fresh / kept, with an interval that holds for all cells of the check together. */
  readonly change: Interval
  /** Changes below this factor less 1 are none: the tolerance, or what a cell differs from itself by if that is more. */
  readonly floor: number
  readonly verdict: 'faster' | 'slower' | 'no change'
}

export interface RatioCheck {
  readonly moves: readonly RatioMove[]
  /** Measured in the kept run, but not in the fresh one. */
  readonly gone: readonly string[]
  /** Measured in the fresh run only. */
  readonly added: readonly string[]
  /** Measured in both, with nothing beside them that both measured too: neither the floor nor copy-checked. */
  readonly unheld: readonly string[]
}

/** Chance that any cell of a check is called moved although none is. */
const SIGNIFICANCE = 0.05

/**
 * Holds a fresh run against a kept one by ratios within each run. So it matters little how fast the machine was, or
 * which one it was. Of slices they are ratios within a class of each run. A cell moved when the whole interval of its
 * change is beyond the tolerance, and beyond what a cell differs from itself by. Two processes of one cell differ by
 * some percent, however many trials they have.
 *
 * @param tolerance 0.1: changes below 10 % are none
 */
export function checkRatios(kept: Results, fresh: Results, tolerance: number, random: Random): RatioCheck {
  const [then, now] = [measuredById(kept), measuredById(fresh)]
  const references = referencesOf(then, now)
  const pairs = [...now.values()].flatMap((cell) => {
    const old = then.get(cell.id)
    const reference = references.get(groupKey(cell))
    return old === undefined || reference === undefined || isReference(cell, reference)
      ? []
      : changesOf(cell.id, reference, old, cell)
  })
  const level = 1 - SIGNIFICANCE / Math.max(1, pairs.length)
  const moves = pairs.map(({ cell, reference, place, kept: before, fresh: after, enough, interval }): RatioMove => {
    const change = interval(random, level)
    const noise = floorOfBoth(kept, fresh, place)
    const floor = Math.max(tolerance, noise ?? 0)
    const lower = Math.min(1 - tolerance, 1 / (1 + (noise ?? 0)))
    // Slices need a floor of their own class, as of any other they say nothing.
    const known = enough && (place === null || noise !== null)
    const verdict = !known
      ? 'no change'
      : change.low > 1 + floor
        ? 'faster'
        : change.high < lower
          ? 'slower'
          : 'no change'
    const where = place === null ? {} : { class: place }
    return { cell, reference, ...where, kept: before, fresh: after, change, floor, verdict }
  })
  const unheld = [...now.values()].filter((cell) => then.has(cell.id) && !references.has(groupKey(cell)))
  return { moves, gone: onlyIn(then, now), added: onlyIn(now, then), unheld: unheld.map(({ id }) => id) }
}

/** One ratio of both runs, and how its change is estimated. */
interface RatioChange {
  readonly cell: string
  readonly reference: string
  readonly place: Placement | null
  readonly kept: number
  readonly fresh: number
  /** Are there slices enough for a verdict? */
  readonly enough: boolean
  readonly interval: (random: Random, level: number) => Interval
}

/** Of trials one change; of slices one of each class that both runs have. */
function changesOf(cell: string, reference: Reference, old: CellResult, now: CellResult): RatioChange[] {
  const ids = { cell, reference: reference.fresh.id }
  const [then, fresh] = [slicedOf(reference.kept, old), slicedOf(reference.fresh, now)]
  if (then === null && fresh === null) {
    const [before, after] = [held(old, reference.kept), held(now, reference.fresh)]
    return [
      {
        ...ids,
        place: null,
        kept: median(before.cell) / median(before.reference),
        fresh: median(after.cell) / median(after.reference),
        enough: true,
        interval: (random, level) => ratioChangeInterval(before, after, random, level),
      },
    ]
  }
  if (then === null || fresh === null) return []
  return PLACEMENTS.flatMap((place): RatioChange[] => {
    const [before, after] = [then(place), fresh(place)]
    const [values, others] = [valuesOf(before), valuesOf(after)]
    if (values.length === 0 || others.length === 0) return []
    return [
      {
        ...ids,
        place,
        kept: median(values),
        fresh: median(others),
        enough: Math.min(values.length, others.length) >= SLICES_A_ROW,
        interval: (random, level) => ratioInterval(before, after, random, level),
      },
    ]
  })
}

/** Ratios of slices that ran one after the other; null: these cells have no classes. */
function slicedOf(
  { measured: one }: CellResult,
  { measured: other }: CellResult,
): ((place: Placement) => Sample) | null {
  if (one?.slices === undefined || other?.slices === undefined) return null
  if (one.classes === undefined || other.classes === undefined) return null
  const [before, after] = [one.slices, other.slices]
  const [known, alsoKnown] = [one.classes, other.classes]
  return (place) =>
    known[place] === null || alsoKnown[place] === null || slicesIn(after, place).length === 0
      ? []
      : pairedRatios(before, after, place)
}

function held(cell: CellResult, reference: CellResult): HeldAgainst {
  return { cell: rates(cell), reference: rates(reference) }
}

/** Mpps of each trial's median chunk, which a busy neighbour moves least; of whole trials where no chunks were kept. */
function rates({ measured }: CellResult): readonly number[] {
  return measured!.nsPerPacket.trials?.map((ns) => 1000 / ns) ?? measured!.trials
}

type Measured = ReadonlyMap<string, CellResult>

function measuredById({ cells }: Results): Measured {
  return new Map(cells.filter(({ measured }) => measured !== null).map((cell) => [cell.id, cell]))
}

/** What the cells of a group are held against. */
interface Reference {
  readonly kept: CellResult
  readonly fresh: CellResult
}

/** Of each group the floor when both runs have it, else copy-checked, else nothing. */
function referencesOf(then: Measured, now: Measured): Map<string, Reference> {
  const references = new Map<string, Reference>()
  for (const accessor of [BASELINE, 'copy-checked'])
    for (const fresh of now.values()) {
      const kept = fresh.accessor === accessor ? then.get(fresh.id) : undefined
      const group = groupKey(fresh)
      if (kept !== undefined && !references.has(group)) references.set(group, { kept, fresh })
    }
  return references
}

/** A reference is held against nothing itself, and the floor against nothing at all. */
function isReference({ accessor }: CellResult, { fresh }: Reference): boolean {
  return accessor === BASELINE || accessor === fresh.accessor
}

/** Ids of cells that were measured here only. */
function onlyIn(here: Measured, there: Measured): string[] {
  return [...here.keys()].filter((id) => !there.has(id))
}
