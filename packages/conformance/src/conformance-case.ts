import type { AccessorOptions, AccessorPlugin } from '@vring/accessor'

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

/** @throws AssertionFailure unless the two are the same value, or arrays of the same values */
export function checkEqual(found: unknown, expected: unknown, what: string): void {
  if (Object.is(found, expected)) return
  const shown = (value: unknown): string => JSON.stringify(value) ?? String(value)
  check(shown(found) === shown(expected), `${what}: found ${shown(found)}, expected ${shown(expected)}`)
}
