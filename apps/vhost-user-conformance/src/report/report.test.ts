import { describe, expect, test } from 'vitest'
import type { CaseResult, Judgement } from '../judge.ts'
import { jsonReport } from './json.ts'
import { junitReport } from './junit.ts'
import { hasFailedMust } from './summary.ts'
import { resultLine, summaryTable } from './terminal.ts'

const one = { title: 'a fact', clause: 'VirtIO 1.3 2.7', durationMs: 12.34, reason: null }
const results: readonly CaseResult[] = [
  { ...one, id: 'a/x', level: 'MUST', result: 'pass' },
  { ...one, id: 'a/y', level: 'SHOULD', result: 'fail', reason: 'index is 1 & "not" <2>\u0007' },
  { ...one, id: 'b/z', level: 'robustness', result: 'skip', reason: 'not offered' },
]
const judgement: Judgement = {
  offer: { features: 2n ** 32n, protocol: 9n, queues: 2, echo: true },
  device: 'net',
  results,
}

describe('the reports', () => {
  test('JSON has what was offered, the counts and every case', () => {
    const report = JSON.parse(jsonReport(judgement, '1.2.3'))
    expect(report).toMatchObject({ schema: 1, version: '1.2.3', backend: { features: '0x100000000', queues: 2 } })
    expect(report.summary.all).toEqual({ pass: 1, fail: 1, skip: 1 })
    expect(report.cases).toHaveLength(3)
    expect(report.cases[1]).toMatchObject({ id: 'a/y', clause: 'VirtIO 1.3 2.7', result: 'fail', durationMs: 12.3 })
  })

  test('JUnit has a suite for each group, counts that add up, and no character that XML does not have', () => {
    const report = junitReport(judgement)
    expect(report).toContain('<testsuites name="vhost-user-conformance" tests="3" failures="1" errors="0" skipped="1">')
    expect(report).toContain('<testsuite name="a" tests="2" failures="1" errors="0" skipped="0">')
    expect(report).toContain('<failure message="index is 1 &amp; &quot;not&quot; &lt;2&gt;?" type="SHOULD"/>')
    expect(report).toContain('<skipped message="not offered"/>')
  })

  test('the terminal shows the clause of what failed, and a table of counts by level', () => {
    const plain = (_: string, text: string): string => text
    expect(resultLine(results[0]!, plain)).toMatch(/^pass {2}MUST {8}a\/x +a fact$/)
    expect(resultLine(results[1]!, plain)).toContain('[VirtIO 1.3 2.7]')
    expect(summaryTable(judgement).split('\n')).toHaveLength(5)
    expect(summaryTable(judgement)).toMatch(/^all +1 +1 +1$/m)
  })

  test('only a failed MUST makes the judgement fail', () => {
    expect(hasFailedMust(judgement)).toBe(false)
    expect(hasFailedMust({ ...judgement, results: [{ ...results[0]!, result: 'fail' }] })).toBe(true)
  })
})
