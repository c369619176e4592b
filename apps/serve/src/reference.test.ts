import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { OPTIONS } from './config/arguments.ts'
import { BACKEND_FORMS } from './config/backend-spec.ts'
import { CAPTURE_OPTIONS } from './config/capture-spec.ts'
import * as exitCodes from './exit-codes.ts'

const read = (path: string): string => readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8')
const REFERENCE = read('../../../docs/serve.md')
const README = read('../README.md')

/** First cells of the rows of a section's table. */
function firstCells(text: string, heading: string): string[] {
  const [section = ''] = new RegExp(`^## ${heading}\\n[\\s\\S]*?(?=^## |$(?![\\s\\S]))`, 'm').exec(text) ?? []
  return [...section.matchAll(/^\| (.*?) \|/gm)].map(([, cell]) => cell!)
}

const inBackticks = (cells: readonly string[], pattern: RegExp): Set<string> =>
  new Set(cells.flatMap((cell) => [...cell.matchAll(pattern)].map(([, name]) => name!)))

test('the reference has each option, and no other', () => {
  const named = inBackticks(firstCells(REFERENCE, 'Options'), /`--([\w-]+)/g)
  expect([...named].sort()).toEqual(Object.keys(OPTIONS).sort())
})

test('the reference has each backend and each option of a capture', () => {
  for (const form of BACKEND_FORMS) expect(REFERENCE).toContain(form.replace(/[:[].*/, ''))
  for (const option of CAPTURE_OPTIONS) expect(REFERENCE).toContain(`\`${option.replace(/\|.*/, '')}`)
})

test('the reference has each metric, and no other', () => {
  const named = inBackticks(firstCells(REFERENCE, 'Metrics'), /`(\w+)`/g)
  const written = inBackticks([read('./status/metrics.ts')], /'((?:vring|process)_\w+)'/g)
  expect([...named].sort()).toEqual([...written].sort())
})

test('README has each exit code, and no other', () => {
  const [table = ''] = /^\| exit code[\s\S]*?\n\n/m.exec(README) ?? []
  const named = [...table.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code))
  expect(named).toEqual(Object.values(exitCodes).sort((a, b) => a - b))
})
