/**
 * What must not happen, and happened. `smap`: supervisor access to user memory without stac. `stale-mapping`: a kernel
 * mapping was used after its pages went. `fault-in-notifier`: a listener needs a page that the invalidation it is
 * called by holds back (Linux: a deadlock).
 */
export type ViolationKind = 'smap' | 'stale-mapping' | 'fault-in-notifier'

/** One event. */
export interface Violation {
  readonly kind: ViolationKind
  /** The user address it was about. */
  readonly address: number
  readonly detail: string
}

const RECORDS_MAX = 64

/** Counts violations and keeps the first ones. */
export class ViolationLog {
  /** The first 64. */
  readonly records: Violation[] = []
  #count = 0

  /** All of them, those without a record too. */
  get count(): number {
    return this.#count
  }

  add(kind: ViolationKind, address: number, detail: string): void {
    this.#count++
    if (this.records.length < RECORDS_MAX) this.records.push({ kind, address, detail })
  }
}
