import type { AccessorOptions, AccessorPlugin } from '@vring/accessor'
import { areaAccessCases } from './cases/area-access.ts'
import { boundsCases } from './cases/bounds.ts'
import { contiguityCases } from './cases/contiguity.ts'
import { counterCases } from './cases/counters.ts'
import { denialCases } from './cases/denials.ts'
import { deviceIotlbCases } from './cases/device-iotlb.ts'
import { dirtyCases } from './cases/dirty.ts'
import { fileBackedCases } from './cases/file-backed.ts'
import { invalidationCases } from './cases/invalidation.ts'
import { leaseCases } from './cases/lease.ts'
import { lifecycleCases } from './cases/lifecycle.ts'
import { modelCases } from './cases/model.ts'
import { orderCases } from './cases/order.ts'
import { pageChangeCases } from './cases/page-changes.ts'
import { permissionCases } from './cases/permissions.ts'
import { ringAttackCases } from './cases/ring-attacks.ts'
import { ringNotificationCases } from './cases/ring-notifications.ts'
import { ringOrderCases } from './cases/ring-order.ts'
import { ringCases } from './cases/rings.ts'
import { speculationCases } from './cases/speculation.ts'
import { userAccessCases } from './cases/user-access.ts'
import type { ConformanceCase, Subject } from './conformance-case.ts'

/** Every property that conformance asks of accessors. */
export const CONFORMANCE_CASES: readonly ConformanceCase[] = [
  ...boundsCases,
  ...contiguityCases,
  ...orderCases,
  ...userAccessCases,
  ...permissionCases,
  ...areaAccessCases,
  ...leaseCases,
  ...invalidationCases,
  ...pageChangeCases,
  ...dirtyCases,
  ...fileBackedCases,
  ...deviceIotlbCases,
  ...speculationCases,
  ...denialCases,
  ...counterCases,
  ...lifecycleCases,
  ...modelCases,
  ...ringCases,
  ...ringOrderCases,
  ...ringAttackCases,
  ...ringNotificationCases,
]

/** The part of a test runner that {@link accessorConformance} needs: vitest, node:test, mocha and jest all have it. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => void): unknown
}

/** How an accessor is examined. */
export interface ConformanceOptions {
  /** Option values for every accessor of the run: `{ era: '6.18' }`. */
  readonly options?: AccessorOptions
}

/**
 * Registers the conformance suite of an accessor plugin, one test a property. A property is left out only where
 * `supports` says that it is not promised, and then its inverse is asked for.
 *
 * ```ts
 * accessorConformance(myAccessor, { describe, it })
 * ```
 */
export function accessorConformance(
  plugin: AccessorPlugin,
  { describe, it }: TestRunner,
  { options = {} }: ConformanceOptions = {},
): void {
  const subject: Subject = { plugin, options }
  const chosen = Object.entries(options).map(([name, value]) => ` ${name}=${value}`)
  describe(`conformance of ${plugin.name}${chosen.join('')}`, () => {
    const cases = applicableCases(plugin)
    for (const suite of new Set(cases.map((testCase) => testCase.suite)))
      describe(suite, () => {
        for (const testCase of cases) if (testCase.suite === suite) it(testCase.title, () => testCase.run(subject))
      })
  })
}

/** The properties that are asked of this plugin. */
export function applicableCases(plugin: AccessorPlugin): ConformanceCase[] {
  return CONFORMANCE_CASES.filter((testCase) => testCase.appliesTo?.(plugin) ?? true)
}

/** What came of one property. */
export interface ConformanceResult {
  readonly suite: string
  readonly title: string
  /** Why it does not hold, or null. */
  readonly failure: string | null
}

/** Runs cases without a test runner. What an accessor throws is a failure of the case, as is what the case throws. */
export function runConformance(
  plugin: AccessorPlugin,
  { options = {} }: ConformanceOptions = {},
  cases: readonly ConformanceCase[] = applicableCases(plugin),
): ConformanceResult[] {
  return cases.map(({ suite, title, run }) => {
    try {
      run({ plugin, options })
      return { suite, title, failure: null }
    } catch (error) {
      return { suite, title, failure: error instanceof Error ? error.message : String(error) }
    }
  })
}
