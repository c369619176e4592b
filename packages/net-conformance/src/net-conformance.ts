import { BACKEND_CASES } from './backend-cases.ts'
import type { NetCase, NetSubject } from './net-case.ts'
import { SOURCE_CASES } from './source-cases.ts'

/** Every property that the kit asks for. */
export const NET_CASES: readonly NetCase[] = [...BACKEND_CASES, ...SOURCE_CASES]

/** The part of a test runner that {@link netConformance} needs: vitest, node:test, mocha and jest all have it. */
export interface NetTestRunner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => void): unknown
}

/** What came of one property. */
export interface NetResult {
  readonly suite: string
  readonly title: string
  /** Why it does not hold, or null. */
  readonly failure: string | null
}

/** The properties that are asked of a backend. */
export function netCasesOf(subject: NetSubject): NetCase[] {
  return NET_CASES.filter(({ appliesTo }) => appliesTo?.(subject) ?? true)
}

/**
 * Registers the conformance suite of a backend, one test a property.
 *
 * ```ts
 * netConformance({ plugin, create: () => plugin.create() }, { describe, it })
 * ```
 */
export function netConformance(subject: NetSubject, { describe, it }: NetTestRunner): void {
  const cases = netCasesOf(subject)
  describe(`conformance of ${subject.plugin.name}`, () => {
    for (const suite of new Set(cases.map((one) => one.suite)))
      describe(suite, () => {
        for (const one of cases) if (one.suite === suite) it(one.title, () => one.run(subject))
      })
  })
}

/** Runs cases without a test runner. What a backend throws is a failure of the case. */
export function runNetConformance(subject: NetSubject, cases: readonly NetCase[] = netCasesOf(subject)): NetResult[] {
  return cases.map(({ suite, title, run }) => {
    try {
      run(subject)
      return { suite, title, failure: null }
    } catch (error) {
      return { suite, title, failure: error instanceof Error ? error.message : String(error) }
    }
  })
}
