import type { ClaimResult } from '../results.ts'

/**
 * Claims that fail their check: not reproduced, and not known to be so.
 *
 * The model judges the same published claims in every run, and one of them is known not to be reproduced: it is shown as
 * failed, with what is missing, every time. Exit code 3 for it would be the exit code of every run, and hide a hash that
 * disagrees; so the check is whether claims come out as the record says, and a failure that the record does not have, or
 * that comes out at another value than it has, fails it.
 */
export function failedClaimChecks(claims: readonly ClaimResult[]): ClaimResult[] {
  return claims.filter(({ verdict, missing }) => verdict === 'not reproduced' && missing === undefined)
}
