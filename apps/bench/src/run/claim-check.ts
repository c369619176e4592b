import type { ClaimResult } from '../results/results.ts'

/** Claims that fail: not reproduced, whether the reason is known or not. */
export function failedClaims(claims: readonly ClaimResult[]): ClaimResult[] {
  return claims.filter(({ verdict }) => verdict === 'not reproduced')
}

/**
 * Claims that a run itself fails: by what it measured or counted. Its results also carry the verdicts that a fit to
 * published rows gives. No cell changes those. `vring-bench model` is the command that ends with 3 for them.
 */
export function failedClaimChecks(claims: readonly ClaimResult[]): ClaimResult[] {
  return failedClaims(claims).filter(({ leftOut }) => leftOut === undefined)
}

/** A line on standard error for each. */
export function claimLines(claims: readonly ClaimResult[]): string[] {
  return claims.map(({ text, reason }) => `claim not reproduced: ${text}: ${reason ?? 'no reason given'}`)
}
