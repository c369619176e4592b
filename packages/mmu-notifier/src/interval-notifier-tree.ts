import { EAGAIN, EINVAL, refused, VringError } from '@vring/layout'
import type { MmuNotifierRange } from './range-notifier.ts'

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
  /** First byte behind it. */
  readonly end: number
  readonly ops: IntervalNotifierOps
  /** Sequence of the last invalidation that the callback saw. */
  readonly seq: number
  /** Called by the callback, under the lock that its owner reads under. Source: `mmu_interval_set_seq`. */
  setSeq(seq: number): void
}

class Interval implements IntervalNotifier {
  readonly start: number
  readonly end: number
  readonly ops: IntervalNotifierOps
  seq = 0
  /** In the tree: found by invalidations. */
  inserted = false
  /** What waits for the running invalidations to end. */
  deferred: 'insert' | 'remove' | null = null

  constructor(start: number, end: number, ops: IntervalNotifierOps) {
    this.start = start
    this.end = end
    this.ops = ops
  }

  setSeq(seq: number): void {
    this.seq = seq
  }
}

/** Takes what a callback threw, with its listener's name. */
export type FaultSink = (error: unknown, name: string) => void

/**
 * Interval notifiers: a sequence instead of a pair of callbacks. The tree's sequence is odd while an invalidation that
 * hits an interval runs, and moves on when the last one ends.
 *
 * A reader: `seq = readBegin(i)`, look up the pages, take the lock of the callback, `readRetry(i, seq)`: start again,
 * else use the pages until the callback says otherwise.
 *
 * Where Linux sleeps, these return -EAGAIN and the caller comes back: a single thread can't wait for itself.
 * Source: Linux 6.18 `mm/mmu_notifier.c`, `mn_itree_*`, `mmu_interval_*`.
 */
export class IntervalNotifierTree {
  /** Sorted by start. A queue has three intervals, so an ordered array is the tree. */
  readonly #intervals: Interval[] = []
  readonly #deferred: Interval[] = []
  #seq = 2
  #active = 0

  /** The tree's sequence: odd while an invalidation that hit an interval, or forbade an insertion, runs. */
  get seq(): number {
    return this.#seq
  }

  /** Intervals in the tree. */
  get size(): number {
    return this.#intervals.length
  }

  /** True while an invalidation that concerns an interval runs. */
  get isInvalidating(): boolean {
    return (this.#seq & 1) === 1
  }

  /**
   * Adds an interval. While an invalidation runs it is deferred to its end, and {@link readBegin} of it gives -EAGAIN
   * until then. Source: `mmu_interval_notifier_insert`.
   *
   * @param start first byte
   * @param length bytes
   * @throws VringError ERR_OUT_OF_RANGE when it is empty or ends above 2^53
   */
  insert(start: number, length: number, ops: IntervalNotifierOps): IntervalNotifier {
    if (!(Number.isSafeInteger(start) && start >= 0)) throw refused('ERR_OUT_OF_RANGE', 'start', start, '0 .. 2^53-1')
    if (!(Number.isSafeInteger(length) && length > 0 && length <= Number.MAX_SAFE_INTEGER - start))
      throw refused('ERR_OUT_OF_RANGE', 'length', length, '1 .. 2^53-1-start')
    const interval = new Interval(start, start + length, ops)
    if (this.#active === 0) {
      interval.seq = this.#seq - 1
      this.#link(interval)
      return interval
    }
    if (this.isInvalidating) this.#defer(interval, 'insert')
    else {
      // The running invalidation has looked before this interval was there: make its readers wait for the end of it.
      this.#seq |= 1
      this.#link(interval)
    }
    interval.seq = this.#seq
    return interval
  }

  /**
   * Takes an interval out. Source: `mmu_interval_notifier_remove`.
   *
   * @returns 0: out, no callback comes any more; -EAGAIN: out when the running invalidations end (Linux sleeps);
   * -EINVAL: not in this tree
   */
  remove(interval: IntervalNotifier): number {
    if (!(interval instanceof Interval)) return EINVAL
    if (interval.deferred === 'insert') {
      this.#deferred.splice(this.#deferred.indexOf(interval), 1)
      interval.deferred = null
      return 0
    }
    if (!interval.inserted) return EINVAL
    if (this.isInvalidating) {
      if (interval.deferred === null) this.#defer(interval, 'remove')
      return EAGAIN
    }
    this.#unlink(interval)
    return 0
  }

  /**
   * Begins a read side. Source: `mmu_interval_read_begin`.
   *
   * @returns a sequence for {@link readRetry}, or -EAGAIN while an invalidation of this interval runs (Linux sleeps)
   */
  readBegin(interval: IntervalNotifier): number {
    const seq = interval.seq
    return seq === this.#seq ? EAGAIN : seq
  }

  /** True when an invalidation hit the interval since {@link readBegin}: what was looked up may be stale. */
  readRetry(interval: IntervalNotifier, seq: number): boolean {
    return interval.seq !== seq
  }

  /**
   * Opens an invalidation and calls every interval that overlaps it. Adjacent is not overlapping.
   *
   * @param onFault takes what a callback threw; the invalidation goes on
   * @returns 0, or -EAGAIN when a callback would have to wait: the invalidation is then not open
   */
  invalidateStart(range: MmuNotifierRange, onFault: FaultSink): number {
    this.#active++
    const hit = this.#intervals.filter((interval) => interval.start < range.end && range.start < interval.end)
    if (hit.length === 0) return 0
    this.#seq |= 1
    const seq = this.#seq
    for (const interval of hit) {
      let done = true
      try {
        done = interval.ops.invalidate(interval, range, seq)
      } catch (error) {
        // A callback that failed to move its sequence would let readers trust the old translation.
        interval.seq = seq
        onFault(error, interval.ops.name)
      }
      if (done) continue
      if (!range.blockable) {
        this.invalidateEnd()
        return EAGAIN
      }
      interval.seq = seq
      onFault(new RangeError('invalidate returned false; accepted: true (the range is blockable)'), interval.ops.name)
    }
    return 0
  }

  /**
   * Closes one invalidation; the last one moves the sequence on and does what was deferred. Source: `mn_itree_inv_end`.
   *
   * @throws VringError ERR_INVALID_STATE when none is open
   */
  invalidateEnd(): void {
    if (this.#active === 0) throw new VringError('ERR_INVALID_STATE', 'no invalidation is open')
    this.#active--
    if (this.#active > 0 || !this.isInvalidating) return
    this.#seq++
    for (const interval of this.#deferred.splice(0)) {
      if (interval.deferred === 'insert') this.#link(interval)
      else this.#unlink(interval)
      interval.deferred = null
    }
  }

  #defer(interval: Interval, what: 'insert' | 'remove'): void {
    interval.deferred = what
    this.#deferred.push(interval)
  }

  #link(interval: Interval): void {
    const at = this.#intervals.findIndex((other) => other.start > interval.start)
    this.#intervals.splice(at < 0 ? this.#intervals.length : at, 0, interval)
    interval.inserted = true
  }

  #unlink(interval: Interval): void {
    this.#intervals.splice(this.#intervals.indexOf(interval), 1)
    interval.inserted = false
  }
}
