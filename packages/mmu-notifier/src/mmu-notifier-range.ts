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
  /** First byte after the range (exclusive). */
  readonly end: number
  readonly event: MmuNotifierEvent
  /** False: the callback must not wait (OOM reaper); it returns -EAGAIN where it would have to. */
  readonly blockable: boolean
}
