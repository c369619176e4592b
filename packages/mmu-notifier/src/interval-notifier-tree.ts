import { EAGAIN, EINVAL, refused, VringError } from '@vring/layout'
import { type Deferred, Interval, type IntervalNotifier, type IntervalNotifierOps } from './interval-notifier.ts'
import type { MmuNotifierRange } from './mmu-notifier-range.ts'
import { uncountedSyncPort } from './sync/plain-sync-port.ts'
import { Cell, Lock, type SyncPort } from './sync/sync-port.ts'

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
  readonly #port: SyncPort
  /** Around everything but callbacks. Linux: notifier_subscriptions.lock. */
  readonly #lock = new Lock('interval tree lock')
  /** Sorted by start. A queue has three intervals, so an ordered array is the tree. */
  readonly #intervals = new Cell<readonly Interval[]>('intervals', [])
  readonly #deferred = new Cell<readonly Interval[]>('deferred intervals', [])
  readonly #seq = new Cell('interval sequence', 2)
  readonly #active = new Cell('interval invalidations', 0)

  /** @param port through which the tree's state is shared; default: one thread */
  constructor(port: SyncPort = uncountedSyncPort) {
    this.#port = port
  }

  /** The tree's sequence: odd while an invalidation that hit an interval, or forbade an insertion, runs. */
  get seq(): number {
    return this.#port.load(this.#seq)
  }

  /** Intervals in the tree. */
  get size(): number {
    return this.#port.load(this.#intervals).length
  }

  /** True while an invalidation that concerns an interval runs. */
  get isInvalidating(): boolean {
    return (this.seq & 1) === 1
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
    const port = this.#port
    const end = start + length
    const interval = port.object(`interval ${start}-${end}`, () => new Interval(port, start, end, ops))
    port.spinLock(this.#lock)
    const seq = this.seq
    if (port.load(this.#active) === 0) {
      interval.setSeq(seq - 1)
      this.#link(interval)
    } else {
      // The running invalidation has looked before this interval was there: its readers wait for the end of it.
      if ((seq & 1) === 1) this.#defer(interval, 'insert')
      else {
        port.store(this.#seq, seq | 1)
        this.#link(interval)
      }
      interval.setSeq(seq | 1)
    }
    port.spinUnlock(this.#lock)
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
    const port = this.#port
    port.spinLock(this.#lock)
    const status = this.#removeLocked(interval)
    port.spinUnlock(this.#lock)
    return status
  }

  /**
   * Begins a read side. Source: `mmu_interval_read_begin`.
   *
   * @returns a sequence for {@link readRetry}, or -EAGAIN while an invalidation of this interval runs (Linux sleeps)
   */
  readBegin(interval: IntervalNotifier): number {
    const port = this.#port
    port.spinLock(this.#lock)
    const seq = interval.seq
    const busy = seq === this.seq
    port.spinUnlock(this.#lock)
    return busy ? EAGAIN : seq
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
    const port = this.#port
    port.spinLock(this.#lock)
    port.store(this.#active, port.load(this.#active) + 1)
    const hit = port.load(this.#intervals).filter(({ start, end }) => start < range.end && range.start < end)
    const seq = this.seq | 1
    if (hit.length > 0) port.store(this.#seq, seq)
    port.spinUnlock(this.#lock)
    for (const interval of hit) {
      if (this.#tell(interval, range, seq, onFault)) continue
      this.invalidateEnd()
      return EAGAIN
    }
    return 0
  }

  /**
   * Closes one invalidation; the last one moves the sequence on and does what was deferred. Source: `mn_itree_inv_end`.
   *
   * @throws VringError ERR_INVALID_STATE when none is open
   */
  invalidateEnd(): void {
    const port = this.#port
    port.spinLock(this.#lock)
    const active = port.load(this.#active)
    if (active > 0) {
      port.store(this.#active, active - 1)
      if (active === 1 && this.isInvalidating) this.#settle()
    }
    port.spinUnlock(this.#lock)
    if (active === 0) throw new VringError('ERR_INVALID_STATE', 'no invalidation is open')
  }

  /** Calls one interval; false when it would have to wait, and must not. */
  #tell(interval: Interval, range: MmuNotifierRange, seq: number, onFault: FaultSink): boolean {
    const { ops } = interval
    try {
      if (ops.invalidate(interval, range, seq)) return true
      if (!range.blockable) return false
      interval.setSeq(seq)
      onFault(new RangeError('invalidate returned false; accepted: true (the range is blockable)'), ops.name)
    } catch (error) {
      // A callback that failed to move its sequence would let readers trust the old translation.
      interval.setSeq(seq)
      onFault(error, ops.name)
    }
    return true
  }

  /** Under the lock: the last invalidation that hit an interval has ended. */
  #settle(): void {
    const port = this.#port
    port.store(this.#seq, this.seq + 1)
    for (const interval of port.load(this.#deferred)) {
      if (port.load(interval.deferred) === 'insert') this.#link(interval)
      else this.#unlink(interval)
      port.store(interval.deferred, null)
    }
    port.store(this.#deferred, [])
  }

  #removeLocked(interval: Interval): number {
    const port = this.#port
    const deferred = port.load(interval.deferred)
    if (deferred === 'insert') {
      port.store(
        this.#deferred,
        port.load(this.#deferred).filter((other) => other !== interval),
      )
      port.store(interval.deferred, null)
      return 0
    }
    if (!port.load(interval.inserted)) return EINVAL
    if (!this.isInvalidating) {
      this.#unlink(interval)
      return 0
    }
    if (deferred === null) this.#defer(interval, 'remove')
    return EAGAIN
  }

  #defer(interval: Interval, what: Deferred): void {
    const port = this.#port
    port.store(interval.deferred, what)
    port.store(this.#deferred, [...port.load(this.#deferred), interval])
  }

  #link(interval: Interval): void {
    const port = this.#port
    const intervals = port.load(this.#intervals)
    const at = intervals.findIndex((other) => other.start > interval.start)
    port.store(this.#intervals, intervals.toSpliced(at < 0 ? intervals.length : at, 0, interval))
    port.store(interval.inserted, true)
  }

  #unlink(interval: Interval): void {
    const port = this.#port
    port.store(
      this.#intervals,
      port.load(this.#intervals).filter((other) => other !== interval),
    )
    port.store(interval.inserted, false)
  }
}
