import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Level } from '../src/case.ts'
import type { CaseResult, Result } from '../src/judge.ts'
import { count, LEVELS } from '../src/report/summary.ts'
import { CONFIRMED, confirmedOf } from './confirmed.ts'
import { PEERS, type Peer } from './peers.ts'

const KEPT = fileURLToPath(new URL('peer-results.json', import.meta.url))

/** What is kept of a judgement. */
export type KeptResult = Pick<CaseResult, 'id' | 'level' | 'result'>
export type KeptResults = Partial<Record<Peer['id'], readonly KeptResult[]>>

export function keptResults(): KeptResults {
  return JSON.parse(readFileSync(KEPT, 'utf8')) as KeptResults
}

/** Keeps the results of one peer instead of those that there are. */
export function keepResults(peer: Peer['id'], results: readonly CaseResult[]): void {
  const kept = { ...keptResults(), [peer]: results.map(({ id, level, result }) => ({ id, level, result })) }
  const lines = Object.entries(kept).map(([name, list]) => {
    return `  ${JSON.stringify(name)}: [\n${list.map((one) => `    ${JSON.stringify(one)}`).join(',\n')}\n  ]`
  })
  writeFileSync(KEPT, `{\n${lines.join(',\n')}\n}\n`)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** The generated part of the README: counts, and what each failure is. */
export function resultsSection(kept: KeptResults = keptResults()): string {
  const counts = PEERS.map(({ id, name }) => {
    const results = (kept[id] ?? []) as readonly CaseResult[]
    const cell = (level: Level | null): string => {
      const { pass, fail, skip } = count(results, level)
      return `${pass} / ${fail} / ${skip}`
    }
    return [name, ...LEVELS.map(cell), cell(null)]
  })
  const failures = PEERS.map(({ id, name }) => {
    const failed = (kept[id] ?? []).filter(({ result }: { result: Result }) => result === 'fail')
    const rows = CONFIRMED.filter(({ peer }) => peer === id).flatMap(({ what }) => {
      const cases = failed.filter((one) => confirmedOf(id, one.id) === what)
      if (cases.length === 0) return []
      const levels = LEVELS.filter((level) => cases.some((one) => one.level === level))
      return [[what, levels.join(', '), cases.map((one) => `\`${one.id}\``).join(' ')]]
    })
    const byLevel = (row: readonly string[]): number => LEVELS.findIndex((level) => row[1]!.includes(level))
    return `${name}:\n\n${table(
      ['what it does', 'level', 'cases'],
      rows.sort((a, b) => byLevel(a) - byLevel(b)),
    )}`
  })
  return [table(['pass / fail / skip', ...LEVELS, 'all'], counts), ...failures].join('\n\n')
}

const MARKERS = /(<!-- results: [^\n]*-->\n)[\s\S]*?(<!-- \/results -->)/

/** The README with this section in it. */
export function withResults(readme: string, section: string): string {
  if (!MARKERS.test(readme)) throw new Error('README.md has no markers for results')
  return readme.replace(MARKERS, (_, begin: string, end: string) => `${begin}\n${section}\n\n${end}`)
}
