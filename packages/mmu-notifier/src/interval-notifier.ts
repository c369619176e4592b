import type { MmuNotifierRange } from './mmu-notifier-range.ts'
import { Cell, type SyncPort } from './sync/sync-port.ts'

/** Callback of one interval. Source: Linux `struct mmu_interval_notifier_ops`. */
export interface IntervalNotifierOps {
  /** Names the listener in errors. */
  readonly name: string
  /**
   * A range that overlaps the interval is about to change. The listener takes its own lock, calls
   * {@link IntervalNotifier.setSeq} with `seq`, and drops the translation.
   *
   * @returns true, or false when it would have to wait and `range.blockable` is false
   */
  invalidate(interval: IntervalNotifier, range: MmuNotifierRange, seq: number): boolean
}

/** One interval whose translations its owner holds. Source: Linux `struct mmu_interval_notifier`. */
export interface IntervalNotifier {
  /** First byte. */
  readonly start: number
  /** First byte after it. */
  readonly end: number
  readonly ops: IntervalNotifierOps
  /** Sequence of the last invalidation that the callback saw. */
  readonly seq: number
  /** Called by the callback, under the lock that its owner reads under. Source: `mmu_interval_set_seq`. */
  setSeq(seq: number): void
}

/** Interval notifiers of an address space; `IntervalNotifierTree` implements it. */
export interface IntervalNotifiers {
  /** Adds an interval of `length` bytes. Source: `mmu_interval_notifier_insert`. */
  insert(start: number, length: number, ops: IntervalNotifierOps): IntervalNotifier
  /** Takes an interval out; 0, or -EAGAIN when that happens at the end of the running invalidations. */
  remove(interval: IntervalNotifier): number
  /** A sequence for {@link readRetry}, or -EAGAIN while an invalidation of the interval runs. */
  readBegin(interval: IntervalNotifier): number
  /** True when an invalidation hit the interval since {@link readBegin}. */
  readRetry(interval: IntervalNotifier, seq: number): boolean
}

/** What waits for the running invalidations to end. */
export type Deferred = 'insert' | 'remove' | null

/** An interval of {@link IntervalNotifierTree}, which alone makes them. */
export class Interval implements IntervalNotifier {
  readonly start: number
  readonly end: number
  readonly ops: IntervalNotifierOps
  readonly sequence: Cell<number> = new Cell('interval.seq', 0)
  /** In the tree: found by invalidations. */
  readonly inserted: Cell<boolean> = new Cell('interval.inserted', false)
  readonly deferred: Cell<Deferred> = new Cell<Deferred>('interval.deferred', null)
  readonly #port: SyncPort

  constructor(port: SyncPort, start: number, end: number, ops: IntervalNotifierOps) {
    this.#port = port
    this.start = start
    this.end = end
    this.ops = ops
  }

  get seq(): number {
    return this.#port.load(this.sequence)
  }

  setSeq(seq: number): void {
    this.#port.store(this.sequence, seq)
  }
}
