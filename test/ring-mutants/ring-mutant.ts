/** A deliberately broken ring: the shipped source with one check, or one order, taken out. */
export interface RingMutant {
  readonly name: string
  /** What is wrong with it. */
  readonly flaw: string
  /** File that differs, below packages/virtqueue/src. */
  readonly file: string
  /** The only differences: a text that occurs exactly once in the file, and what stands there instead. */
  readonly edits: readonly RingEdit[]
  /** Full title of the test in `virtqueue` that must fail. */
  readonly killedBy: string
  /**
   * Title of the case of the accessor kit that must fail: over vmap-direct, and where its code runs over copy-checked,
   * which has no lease.
   */
  readonly kitCase: string
}

export type RingEdit = readonly [from: string, to: string]

/** The mutants of one file. */
export function mutantsOf(file: string, mutants: readonly Omit<RingMutant, 'file'>[]): RingMutant[] {
  return mutants.map((mutant) => ({ ...mutant, file }))
}
