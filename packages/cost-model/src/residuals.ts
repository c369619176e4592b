import { type Fit, fitProfiles, type VariantSteps } from './fit-profiles.ts'
import { predict } from './predict.ts'
import type { PublishedRow } from './published.ts'

/** A published row beside what the model says. */
export interface Residual {
  readonly row: PublishedRow
  /** Mpps of a rate; 1 + gain of a gain. */
  readonly published: number
  readonly modelled: number
  /** modelled / published - 1: 0.03 is 3 % too high. */
  readonly error: number
  /** Was the row kept out of the fit? */
  readonly heldOut: boolean
  /**
   * Is the row settled by those that were fitted? False where it is the only one with a step, as V4's masked cell with
   * the check. What is then said about it holds that step for free.
   */
  readonly determined: boolean
  /** {@link Fit.leverage}: at 1 the error is 0 whatever was published. */
  readonly leverage: number | null
}

/** What the fitted profiles say about rows; those whose setup the fit does not know are left out. */
export function residuals(
  fitted: Fit,
  rows: readonly PublishedRow[],
  steps: VariantSteps,
  heldOut: (row: PublishedRow) => boolean = isTransfer,
): Residual[] {
  return rows.flatMap((row) => {
    const modelled = model(fitted, row, steps)
    if (modelled === null) return []
    const published = row.kind === 'rate' ? row.mpps : 1 + row.gain
    return [
      {
        row,
        published,
        modelled,
        error: modelled / published - 1,
        heldOut: heldOut(row),
        determined: fitted.determines(row),
        leverage: fitted.leverage(row),
      },
    ]
  })
}

/**
 * Each row predicted by a fit to all the others: the error of a row that is not published yet. The residuals of a
 * fit are smaller, as each row has drawn the fit towards itself.
 */
export function leaveOneOut(rows: readonly PublishedRow[], steps: VariantSteps): Residual[] {
  return rows.flatMap((row) => {
    const others = rows.filter((other) => other !== row)
    return residuals(fitProfiles(others, steps), [row], steps, () => true)
  })
}

function isTransfer(row: PublishedRow): boolean {
  return row.kind === 'gain' && row.transfer
}

function model(fitted: Fit, row: PublishedRow, steps: VariantSteps): number | null {
  const profile = fitted.profiles.get(row.setup)
  if (profile === undefined) return null
  if (row.kind === 'rate') return predict(profile, steps[row.variant], row.smap).mpps
  return predict(profile, steps[row.before], row.smap).ns / predict(profile, steps[row.after], row.smap).ns
}
