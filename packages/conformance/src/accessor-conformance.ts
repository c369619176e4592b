import type { AccessorOptions, AccessorPlugin } from '@vring/accessor'
import { About } from './about.ts'
import { AccessTrail } from './access-trail.ts'
import { allocationCases } from './cases/allocation.ts'
import { areaAccessCases } from './cases/area-access.ts'
import { boundsCases } from './cases/bounds.ts'
import { contiguityCases } from './cases/contiguity.ts'
import { counterCases } from './cases/counters.ts'
import { dataPlaneCases } from './cases/data-plane.ts'
import { denialCases } from './cases/denials.ts'
import { deviceIotlbCases } from './cases/device-iotlb.ts'
import { dirtyCases } from './cases/dirty.ts'
import { fileBackedCases } from './cases/file-backed.ts'
import { gateCase } from './cases/gate.ts'
import { invalidationCases } from './cases/invalidation.ts'
import { leaseCases } from './cases/lease.ts'
import { lifecycleCases } from './cases/lifecycle.ts'
import { modelCases } from './cases/model.ts'
import { orderCases } from './cases/order.ts'
import { pageChangeCases } from './cases/page-changes.ts'
import { permissionCases } from './cases/permissions.ts'
import { ringAttackCases } from './cases/ring-attacks.ts'
import { ringChainCases } from './cases/ring-chains.ts'
import { ringFaultCases } from './cases/ring-faults.ts'
import { ringHoldCases } from './cases/ring-holds.ts'
import { ringLogCases } from './cases/ring-log.ts'
import { ringNotificationCases } from './cases/ring-notifications.ts'
import { ringOrderCases } from './cases/ring-order.ts'
import { ringCases } from './cases/rings.ts'
import { speculationCases } from './cases/speculation.ts'
import { userAccessCases } from './cases/user-access.ts'
import { causesOf, type Judged } from './causes-of.ts'
import { AssertionFailure, type ConformanceCase } from './conformance-case.ts'
import { withOptions } from './with-options.ts'

/** Every property that conformance asks of accessors. */
export const CONFORMANCE_CASES: readonly ConformanceCase[] = [
  gateCase,
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
  ...dataPlaneCases,
  ...allocationCases,
  ...modelCases,
  ...ringCases,
  ...ringChainCases,
  ...ringOrderCases,
  ...ringHoldCases,
  ...ringFaultCases,
  ...ringLogCases,
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
  /**
   * Option values for every accessor of the run: `{ era: '6.18' }`. Left out: the defaults, then each other value of each
   * option, one at a time.
   */
  readonly options?: AccessorOptions
}

/**
 * Registers the conformance suite of an accessor plugin, one test a property. A property is left out only where
 * `supports` says that it is not promised, and then its inverse is asked for. Where the first case, the gate, fails, it is
 * the only one.
 *
 * ```ts
 * accessorConformance(myAccessor, { describe, it })
 * ```
 */
export function accessorConformance(
  plugin: AccessorPlugin,
  { describe, it }: TestRunner,
  { options }: ConformanceOptions = {},
): void {
  for (const chosen of options === undefined ? everyChoice(plugin) : [options])
    describe(`conformance of ${[plugin.name, choiceText(chosen)].join(' ').trimEnd()}`, () => {
      const cases = applicableCases(plugin, chosen)
      const judged = failureOf(plugin, chosen, gateCase) === null ? cases : [gateCase]
      for (const suite of new Set(judged.map((testCase) => testCase.suite)))
        describe(suite, () => {
          for (const testCase of judged)
            if (testCase.suite === suite)
              it(testCase.title, () => {
                const failure = failureOf(plugin, chosen, testCase)
                if (failure !== null) throw failure
              })
        })
    })
}

/** The properties that are asked of this plugin, with these option values. */
export function applicableCases(plugin: AccessorPlugin, options: AccessorOptions = {}): ConformanceCase[] {
  const judged = withOptions(plugin, options)
  return CONFORMANCE_CASES.filter((testCase) => testCase.appliesTo?.(judged) ?? true)
}

/** What came of one property. */
export interface ConformanceResult {
  readonly suite: string
  readonly title: string
  /** The option values beside the defaults, `sync=rcu`, or empty. */
  readonly options: string
  /** Why it does not hold, in one line, or null. */
  readonly failure: string | null
  /** Title of an earlier case that failed for the same cause, or null. */
  readonly follows: string | null
}

/**
 * Runs cases without a test runner. What an accessor throws is a failure of the case, as is what the case throws. Where the
 * gate fails nothing else is asked, and where the defaults fail no other option values are.
 *
 * @param cases what is asked, without the gate; left out: all that applies
 */
export function runConformance(
  plugin: AccessorPlugin,
  { options }: ConformanceOptions = {},
  cases?: readonly ConformanceCase[],
): ConformanceResult[] {
  const results: ConformanceResult[] = []
  const choices = options === undefined ? everyChoice(plugin) : [options]
  for (const [place, chosen] of choices.entries()) {
    const judged = judge(plugin, chosen, cases)
    const causes = causesOf(judged)
    for (const [index, { suite, title, failure }] of judged.entries())
      results.push({
        ...{ suite, title, options: choiceText(chosen) },
        ...{ failure: failure?.message ?? null, follows: causes[index] ?? null },
      })
    if (place === 0 && results.some(({ failure }) => failure !== null)) break
  }
  return results
}

function judge(plugin: AccessorPlugin, options: AccessorOptions, cases?: readonly ConformanceCase[]): Judged[] {
  const results: Judged[] = []
  for (const testCase of cases ?? applicableCases(plugin, options)) {
    const { suite, title } = testCase
    const failure = failureOf(plugin, options, testCase)
    results.push({ suite, title, failure })
    if (failure !== null && cases === undefined && testCase === gateCase) break
  }
  return results
}

/** Why a property does not hold, with the access that it was found at, or null. */
function failureOf(
  plugin: AccessorPlugin,
  options: AccessorOptions,
  testCase: ConformanceCase,
): AssertionFailure | null {
  const trail = new AccessTrail()
  const bare = withOptions(plugin, options)
  try {
    testCase.run({ plugin: trail.follow(bare), bare, options })
    return null
  } catch (error) {
    const text = messageOf(error).replaceAll(/\s+/g, ' ')
    const { area, method } = placeOf(error)
    const last = trail.last === null || method !== null ? '' : `; last access: ${trail.last}`
    return new AssertionFailure(new About(text + last, area, method))
  }
}

/** What a case says; of a random run first what went wrong, then its seed and its shortest form. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.cause.message}; ${error.message}` : error.message
}

/** Where what a case throws was found; of a random run, its cause. */
function placeOf(error: unknown): Pick<AssertionFailure, 'area' | 'method'> {
  if (error instanceof AssertionFailure) return error
  return error instanceof Error && error.cause instanceof AssertionFailure ? error.cause : { area: null, method: null }
}

/** The defaults, then each other value of each option. */
function everyChoice({ options }: AccessorPlugin): AccessorOptions[] {
  const others = options.flatMap(({ name, values, default: standard }) =>
    values.filter((value) => value !== standard).map((value) => ({ [name]: value })),
  )
  return [{}, ...others]
}

function choiceText(options: AccessorOptions): string {
  return Object.entries(options)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}
