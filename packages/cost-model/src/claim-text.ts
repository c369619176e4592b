import { CLAIMS, type Claim } from './claims.ts'

/** Claims about a count per packet; all others are about gains. Also by id alone: results that were kept have no more. */
const COUNTS: ReadonlySet<string> = new Set(
  CLAIMS.filter(({ subject }) => subject.kind === 'metadata-accesses').map(({ id }) => id),
)

/** A value of a claim for people, the same wherever it is shown: `+22.0 %` of a gain, `2.06` of a count per packet. */
export function claimText({ id }: Pick<Claim, 'id'>, value: number): string {
  if (COUNTS.has(id)) return value.toFixed(2)
  return `${value < 0 ? '-' : '+'}${Math.abs(100 * value).toFixed(1)} %`
}

/**
 * A difference of two values of a claim, such as its tolerance: `5.0 points` (of percent) of a gain, `0.05` of a count.
 *
 * @param difference without its sign, in the unit of `Claim.published`
 */
export function claimDifferenceText({ id }: Pick<Claim, 'id'>, difference: number): string {
  return COUNTS.has(id) ? difference.toFixed(2) : `${(100 * difference).toFixed(1)} points`
}
