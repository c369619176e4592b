import type { IntervalNotifier, IntervalNotifierOps } from './interval-notifier.ts'

/** Why a range is invalidated. Source: Linux `enum mmu_notifier_event`. */
export type MmuNotifierEvent =
  | 'unmap'
  | 'clear'
  | 'protection-vma'
  | 'protection-page'
  | 'soft-dirty'
  | 'release'
  | 'migrate'
  | 'exclusive'

/** A range whose translations are about to change. Source: Linux `struct mmu_notifier_range`. */
export interface MmuNotifierRange {
  /** First byte. */
  readonly start: number
  /** First byte behind the range (exclusive). */
  readonly end: number
  readonly event: MmuNotifierEvent
  /** False: the callback must not wait (OOM reaper); it returns -EAGAIN where it would have to. */
  readonly blockable: boolean
}

/** Callbacks of one listener. Source: Linux `struct mmu_notifier_ops`. */
export interface MmuNotifierOps {
  /** Names the listener in errors. */
  readonly name: string
  /**
   * Called before translations in the range change. After it returned 0 the listener must not use the old translation,
   * until the matching {@link invalidateRangeEnd}.
   *
   * @returns 0, or -EAGAIN (only when `range.blockable` is false)
   */
  invalidateRangeStart(range: MmuNotifierRange): number
  /** Called after the translations changed. */
  invalidateRangeEnd(range: MmuNotifierRange): void
  /** The address space goes away. */
  release?(): void
}

/** Gives a listener's registration back; a second call does nothing. */
export type Unregister = () => void

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

/** What an address space offers to those who hold mappings of it. Source: Linux `mm/mmu_notifier.c`. */
export interface MmuNotifierRegistry {
  /**
   * Registers a listener.
   *
   * @throws VringError ERR_NOTIFIER when registration is refused (Linux: `mmu_notifier_register` returns an error)
   */
  register(ops: MmuNotifierOps): Unregister
  /** Interval notifiers, where the address space has them. */
  readonly intervals?: IntervalNotifiers
}
