import type { Level } from '../case.ts'
import type { CaseResult, Judgement, Result } from '../judge.ts'

export type Counts = Readonly<Record<Result, number>>

export const LEVELS: readonly Level[] = ['MUST', 'SHOULD', 'robustness']

/** How many cases of a level, or of all, passed, failed and were skipped. */
export function count(results: readonly CaseResult[], level: Level | null = null): Counts {
  const counts = { pass: 0, fail: 0, skip: 0 }
  for (const one of results) if (level === null || one.level === level) counts[one.result]++
  return counts
}

/** Did a case of level MUST fail? */
export function hasFailedMust({ results }: Judgement): boolean {
  return count(results, 'MUST').fail > 0
}
