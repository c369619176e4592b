import type { IntervalNotifiers } from './interval-notifier.ts'
import type { MmuNotifierRange } from './mmu-notifier-range.ts'

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
