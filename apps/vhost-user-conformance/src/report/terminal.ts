import type { CaseResult, Judgement, Result } from '../judge.ts'
import { count, LEVELS } from './summary.ts'

/** Puts colour around a text; or nothing. */
export type Paint = (result: Result, text: string) => string

/** A case as one line, and why it is not `pass` on a second one. */
export function resultLine({ result, level, id, title, clause, reason }: CaseResult, paint: Paint): string {
  const head = `${paint(result, result.padEnd(4))}  ${level.padEnd(10)}  ${id.padEnd(38)}  ${title}`
  if (result === 'pass') return head
  const why = result === 'fail' ? `${reason} [${clause}]` : String(reason)
  return `${head}\n${' '.repeat(6)}${paint(result, why)}`
}

/** The counts by level, as a table. */
export function summaryTable({ results }: Judgement): string {
  const row = (name: string, { pass, fail, skip }: ReturnType<typeof count>): string =>
    `${name.padEnd(10)}  ${[pass, fail, skip].map((one) => String(one).padStart(5)).join('  ')}`
  const head = `${' '.repeat(10)}  ${['pass', 'fail', 'skip'].map((one) => one.padStart(5)).join('  ')}`
  return [head, ...LEVELS.map((level) => row(level, count(results, level))), row('all', count(results))].join('\n')
}
