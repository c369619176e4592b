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
  const pairs = fresh.cells.flatMap((cell) => {
    const old = sameCell(kept, cell)
    if (cell.measured === null || old === undefined) return []
    const reference = referenceOf(cell, kept, fresh)
    return reference === null
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
  return { moves, gone: measuredOnlyIn(kept, fresh), added: measuredOnlyIn(fresh, kept) }
}

function held(cell: CellResult, reference: CellResult): HeldAgainst {
  return { cell: rates(cell), reference: rates(reference) }
}

/** Mpps of each trial's median chunk, which a busy neighbour moves least; of whole trials where no chunks were kept. */
function rates({ measured }: CellResult): readonly number[] {
  return measured!.nsPerPacket.trials?.map((ns) => 1000 / ns) ?? measured!.trials
}

/** The floor of the cell's group when both runs have it, else copy-checked, else nothing. A reference has none itself. */
function referenceOf(cell: CellResult, kept: Results, fresh: Results): { kept: CellResult; fresh: CellResult } | null {
  for (const accessor of [BASELINE, 'copy-checked']) {
    if (cell.accessor === accessor) return null
    const now = fresh.cells.find(
      (one) => one.accessor === accessor && one.measured !== null && groupKey(one) === groupKey(cell),
    )
    const then = now === undefined ? undefined : sameCell(kept, now)
    if (now !== undefined && then !== undefined) return { kept: then, fresh: now }
  }
  return null
}

function sameCell({ cells }: Results, { id }: CellResult): CellResult | undefined {
  return cells.find((cell) => cell.id === id && cell.measured !== null)
}

function measuredOnlyIn(here: Results, there: Results): string[] {
  return here.cells.filter((cell) => cell.measured !== null && sameCell(there, cell) === undefined).map(({ id }) => id)
}
