import type { AccessorOptions, AccessorPlugin, Window } from '@vring/accessor'
import type { Area } from '@vring/layout'
import { About, about } from './about.ts'
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
  /** The area that it was found in, or null. */
  readonly area: Area | null
  /** Of the access that it was found at, or null. */
  readonly method: keyof Window | null

  constructor(message: string | About) {
    super(String(message))
    const { area, method } = message instanceof About ? message : new About(message)
    this.area = area
    this.method = method
  }
}

/** @throws AssertionFailure unless `condition` holds */
export function check(condition: boolean, message: string | About): asserts condition {
  if (!condition) throw new AssertionFailure(message)
}

/** @throws AssertionFailure, which names the first difference, unless the two are the same value, or hold the same values */
export function checkEqual(found: unknown, expected: unknown, what: string | About): void {
  const difference = firstDifference(found, expected)
  if (difference === null) return
  const shown = (value: unknown): string => JSON.stringify(value) ?? String(value)
  check(
    false,
    about`${what}${difference.path}: found ${shown(difference.found)}, expected ${shown(difference.expected)}`,
  )
}
