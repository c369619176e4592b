import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repositoryRoot } from '../scripts/workspace.ts'

type Status = 'passed' | 'failed' | 'skipped' | 'pending' | 'todo'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vring-ci-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** Writes a result file in vitest's form with one suite, whose tests have these statuses. */
function results(name: string, statuses: readonly Status[], suiteStatus = 'passed'): string {
  const file = join(folder, name)
  const assertionResults = statuses.map((status, index) => ({ status, fullName: `test ${index}` }))
  writeFileSync(file, JSON.stringify({ testResults: [{ name: 'a.test.ts', status: suiteStatus, assertionResults }] }))
  return file
}

/** Writes what vitest printed. */
function printed(name: string, ...lines: readonly string[]): string {
  const file = join(folder, name)
  writeFileSync(file, lines.join('\n'))
  return file
}

function summary(...runs: readonly string[]): { lines: string[]; status: number | null } {
  const { stdout, status } = spawnSync(process.execPath, [join(repositoryRoot, '.ci/summary.mjs'), ...runs], {
    encoding: 'utf8',
  })
  return { lines: stdout.trimEnd().split('\n'), status }
}

describe('the summary of .ci/run', () => {
  test('adds up the runs and closes with one plain line', () => {
    const unit = results('unit.json', ['passed', 'passed', 'skipped'])
    const interop = results('interop.json', ['passed'])
    expect(summary(`unit:0:${unit}`, `interop:0:${interop}`)).toEqual({
      lines: ['3 passed, 0 failed, 1 skipped'],
      status: 0,
    })
  })

  test('counts a skipped interop test as failed and names it', () => {
    const { lines, status } = summary(`interop:0:${results('skip.json', ['passed', 'skipped'])}`)
    expect(lines[0]).toContain('skipped, which is a failure here: test 1')
    expect(lines.at(-1)).toBe('1 passed, 1 failed, 0 skipped')
    expect(status).toBe(1)
  })

  test('counts a run that left no result as one failure', () => {
    const log = printed('build.log', 'src/a.ts: no such name')
    const { lines, status } = summary(`unit:2:${join(folder, 'missing.json')}:${log}`)
    expect(lines).toEqual([
      'ci: failed: unit: ended with code 2 before its tests could report; it printed:',
      'src/a.ts: no such name',
      '0 passed, 1 failed, 0 skipped',
    ])
    expect(status).toBe(1)
  })

  test('counts a test file that could not be loaded as one failure', () => {
    const { lines, status } = summary(`unit:1:${results('load.json', [], 'failed')}`)
    expect(lines.at(-1)).toBe('0 passed, 1 failed, 0 skipped')
    expect(status).toBe(1)
  })

  test('counts a command without results as one test', () => {
    expect(summary('fuzz:0').lines).toEqual(['1 passed, 0 failed, 0 skipped'])
    expect(summary('fuzz:0', 'bench:3')).toEqual({
      lines: ['ci: failed: bench: ended with code 3', '1 passed, 1 failed, 0 skipped'],
      status: 1,
    })
  })

  test('fails when vitest failed although every test passed, and shows the errors that it printed', () => {
    const log = printed('error.log', 'a.test.ts passed', '--- Unhandled Errors ---', 'Error: late', 'Errors 1 error')
    const { lines, status } = summary(`unit:1:${results('error.json', ['passed'])}:${log}`)
    expect(lines).toEqual([
      'ci: failed: unit: ended with code 1, each of its tests passed; it printed:',
      '--- Unhandled Errors ---',
      'Error: late',
      'Errors 1 error',
      '1 passed, 1 failed, 0 skipped',
    ])
    expect(status).toBe(1)
  })
})
