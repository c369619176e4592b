import type { MemoryView } from './memory-view.ts'

/** The device reads this range. */
export const ACCESS_READ = 1
/** The device writes this range. */
export const ACCESS_WRITE = 2
/** {@link ACCESS_READ} or {@link ACCESS_WRITE}. */
export type Access = 1 | 2

/**
 * Translation of addresses to bytes: what a ring, a datapath and an accessor need of memory, and all they see of it.
 * Addresses are JS numbers; 2^53 and above are out of range by definition. Permission travels with translation.
 *
 * Hot: `resolve` neither allocates nor throws.
 */
export interface AddressMap {
  /** The backing of the offset that was resolved last. Read it after every `resolve`: it may change between calls. */
  readonly view: MemoryView
  /** Bytes that are contiguous from the offset that {@link resolveSpan} gave last, at most the length asked for. */
  readonly span: number
  /**
   * Byte offset into {@link view} of a range that is accessible and contiguous there as a whole.
   *
   * @returns the offset, -EFAULT (not accessible), or -EXDEV (accessible so far as seen, but not contiguous)
   */
  resolve(address: number, length: number, access: Access): number
  /**
   * Byte offset into {@link view} of the first byte, and in {@link span} how many bytes are contiguous from there.
   * The caller goes on with the rest: `address + span`, `length - span`.
   *
   * @returns the offset or -EFAULT
   */
  resolveSpan(address: number, length: number, access: Access): number
}
