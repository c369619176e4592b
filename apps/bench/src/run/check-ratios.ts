import { BASELINE, groupKey } from '../cell-spec.ts'
import type { CellResult, Results } from '../results.ts'
import { type HeldAgainst, type Interval, median, type Random, ratioChangeInterval } from '../stats/index.ts'

/** A ratio that both runs have. */
export interface RatioMove {
  readonly cell: string
  /** What it is held against in its own run: the floor of its group, else copy-checked. */
  readonly reference: string
  /** Median rate of the cell / median rate of the reference. */
  readonly kept: number
  readonly fresh: number
  /** fresh / kept, with an interval that holds for all cells of the check together. */
  readonly change: Interval
  readonly verdict: 'faster' | 'slower' | 'no change'
}

export interface RatioCheck {
  readonly moves: readonly RatioMove[]
  /** Measured in the kept run, but not in the fresh one. */
  readonly gone: readonly string[]
  /** Measured in the fresh run only. */
  readonly added: readonly string[]
}

/** Chance that any cell of a check is called moved although none is. */
const SIGNIFICANCE = 0.05

/**
 * Holds a fresh run against a kept one by ratios within each run, so that how fast the machine was, or which one it was,
 * matters little. A cell moved when the whole interval of its change is beyond the tolerance: two processes of one cell
 * differ by some percent, however many trials they have.
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
      : [{ cell, reference, before: held(old, reference.kept), after: held(cell, reference.fresh) }]
  })
  const level = 1 - SIGNIFICANCE / Math.max(1, pairs.length)
  const moves = pairs.map(({ cell, reference, before, after }): RatioMove => {
    const change = ratioChangeInterval(before, after, random, level)
    const verdict = change.low > 1 + tolerance ? 'faster' : change.high < 1 - tolerance ? 'slower' : 'no change'
    return {
      cell: cell.id,
      reference: reference.fresh.id,
      kept: median(before.cell) / median(before.reference),
      fresh: median(after.cell) / median(after.reference),
      change,
      verdict,
    }
  })
  return { moves, gone: onlyIn(then, now), added: onlyIn(now, then) }
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
