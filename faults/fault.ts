import type { FindingKind } from '@vring/explorer'

/** A fault that another implementation had, as a test of the code that ships here. */
export interface Fault {
  /** A CVE, or whose issue it is: what the title of its test begins with. */
  readonly id: string
  /** Which program had it. */
  readonly system: string
  /** What it was. */
  readonly fault: string
  /** The source that would have it here, from the root of the repository. */
  readonly here: string
  /** What holds instead: the rest of its test's title. */
  readonly holds: string
  /** Why it can't occur here as it did there; null: it could. */
  readonly notHere: string | null
  /**
   * Where another thread has to come in between: the search of all schedules for it, over the code that ships, whose
   * catalogue has an entry of the same id. Else why one thread is enough.
   */
  readonly explored: (() => FindingKind | null) | string
  /** Changes to the sources that put it back, each of which {@link run} must find. */
  readonly mutants: readonly Mutant[]
  /**
   * Tries it on the code that ships.
   *
   * @throws AssertionError where it is there
   */
  run(): void
}

/** A change to one source. */
export interface Mutant {
  /** What is changed, for people. */
  readonly change: string
  /** The source, from the root of the repository. */
  readonly file: string
  /** A text that stands there exactly once. */
  readonly from: string
  readonly to: string
  /** A race: {@link Fault.explored} must find it too. */
  readonly race?: true
}
