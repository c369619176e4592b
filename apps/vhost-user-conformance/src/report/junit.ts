import type { CaseResult, Judgement } from '../judge.ts'
import { count } from './summary.ts'

/** The judgement as JUnit XML: a test suite for each group of cases. */
export function junitReport({ results }: Judgement): string {
  const groups = grouped(results)
  const suites = [...groups].map(([name, cases]) => {
    const { fail, skip } = count(cases)
    const head = `  <testsuite name="${xml(name)}" tests="${cases.length}" failures="${fail}" errors="0" skipped="${skip}">`
    return [head, ...cases.map(testCase), '  </testsuite>'].join('\n')
  })
  const { fail, skip } = count(results)
  const root = `<testsuites name="vhost-user-conformance" tests="${results.length}" failures="${fail}" errors="0" skipped="${skip}">`
  return ['<?xml version="1.0" encoding="UTF-8"?>', root, ...suites, '</testsuites>', ''].join('\n')
}

function groupOf({ id }: CaseResult): string {
  return id.slice(0, id.indexOf('/'))
}

function grouped(results: readonly CaseResult[]): Map<string, CaseResult[]> {
  const groups = new Map<string, CaseResult[]>()
  for (const one of results) groups.set(groupOf(one), [...(groups.get(groupOf(one)) ?? []), one])
  return groups
}

function testCase(one: CaseResult): string {
  const name = `${one.id}: ${one.title}`
  const head = `    <testcase classname="${xml(`${one.level} ${one.clause}`)}" name="${xml(name)}" time="${(one.durationMs / 1000).toFixed(3)}"`
  if (one.result === 'pass') return `${head}/>`
  const reason = xml(one.reason ?? '')
  const why =
    one.result === 'skip' ? `<skipped message="${reason}"/>` : `<failure message="${reason}" type="${one.level}"/>`
  return `${head}>${why}</testcase>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

function xml(text: string): string {
  // Control characters are no XML, whatever their notation.
  return text.replace(/[&<>"']/g, (one) => ENTITIES[one]!).replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, '?')
}
