/** What is fuzzed: code that has to bear any bytes. */
export interface FuzzTarget {
  readonly name: string
  /** For people: what it calls, and what must hold. */
  readonly description: string
  /** What {@link run} counts. */
  readonly unit: string
  /** Inputs to begin with. */
  readonly seeds: readonly Uint8Array[]
  /** Byte strings that its format is made of. */
  readonly dictionary?: readonly Uint8Array[]
  /** Bytes of an input at most. */
  readonly maxBytes: number
  /**
   * Runs one input in a world of its own, and returns how many operations that was. A documented refusal is no failure and
   * stays inside.
   *
   * @throws whatever shows that a property does not hold
   */
  run(input: Uint8Array): number | Promise<number>
}

/** A property that does not hold. */
export function expectThat(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Error(message)
}
