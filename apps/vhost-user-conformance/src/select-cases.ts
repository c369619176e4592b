import { nearestName } from '@vring/registry'
import type { Case } from './case.ts'
import { CASES } from './cases/index.ts'
import { usageError } from './judge-error.ts'

/**
 * The cases whose clause, id or level contains one of these texts, upper and lower case alike; without texts, all.
 *
 * @throws JudgeError with exit code 2 for a text that no case contains
 */
export function selectCases(only: readonly string[]): readonly Case[] {
  for (const text of only) {
    if (CASES.some((one) => contains(one, text))) continue
    const groups = [...new Set(CASES.map(({ id }) => id.slice(0, id.indexOf('/'))))]
    const near = nearestName(text, [...groups, ...CASES.map(({ id }) => id)])
    const hint = near === null ? '' : `; did you mean ${near}?`
    throw usageError(
      `--only ${text}`,
      `no case has this in its clause, id or level; groups: ${groups.join(', ')}${hint}`,
    )
  }
  return only.length === 0 ? CASES : CASES.filter((one) => only.some((text) => contains(one, text)))
}

function contains({ id, clause, level }: Case, text: string): boolean {
  return [id, clause, level].some((one) => one.toLowerCase().includes(text.toLowerCase()))
}
