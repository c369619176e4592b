import type { AccessorOptions, AccessorPlugin } from '@vring/accessor'
import { firstDifference } from './first-difference.ts'

/** One named property of an accessor. */
export interface ConformanceCase {
  /** Groups cases: `bounds`, `order`, `invalidation` ... */
  readonly suite: string
  /** A fact about a correct accessor. */
  readonly title: string
  /** Says which accessors the property is asked of, from what they declare; all when left out. */
  readonly appliesTo?: (plugin: AccessorPlugin) => boolean
  /**
   * Checks the property in worlds of its own.
   *
   * @throws AssertionFailure with what was expected
   */
  run(subject: Subject): void
}

/** What a conformance case examines. */
export interface Subject {
  readonly plugin: AccessorPlugin
  /** The plugin alone, where {@link plugin} notes its accesses: for what must not go through that. */
  readonly bare?: AccessorPlugin
  /** Option values that every accessor of the run is created with. */
  readonly options: AccessorOptions
}

/** A property that does not hold; the message says what was expected and what was found. */
export class AssertionFailure extends Error {
  override readonly name: string = 'AssertionFailure'
}

/** @throws AssertionFailure unless `condition` holds */
export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message)
}

/** @throws AssertionFailure, which names the first difference, unless the two are the same value, or hold the same values */
export function checkEqual(found: unknown, expected: unknown, what: string): void {
  const difference = firstDifference(found, expected)
  if (difference === null) return
  const shown = (value: unknown): string => JSON.stringify(value) ?? String(value)
  check(false, `${what}${difference.path}: found ${shown(difference.found)}, expected ${shown(difference.expected)}`)
}
