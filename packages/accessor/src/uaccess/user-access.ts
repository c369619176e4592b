/**
 * The kernel's accessors of user memory (`uaccess.h`) as a device needs them, at absolute user addresses: scalar get and
 * put, and copies of words. One class per form and kernel era implements it; which
 * steps each form takes is data beside the class.
 *
 * Hot: no allocation, no exception. EFLAGS.AC is set by `stac` and cleared by `clac` exactly once per call, also when the
 * access faults. A fault is -EFAULT.
 */
export interface UserAccess {
  /** @returns 0 .. 0xffff, or a negative errno */
  get16(address: number): number
  /** As {@link get16}, then smp_rmb: later loads come after this one. */
  get16Acquire(address: number): number
  /** @returns 0 .. 0xffffffff, or a negative errno */
  get32(address: number): number
  /**
   * `copy_from_user` of `count` 32-bit words to out[index ..].
   *
   * @returns 0 or a negative errno
   */
  copyFrom(address: number, out: Uint32Array, index: number, count: number): number
  /** @returns 0 or a negative errno */
  put16(address: number, value: number): number
  /** smp_wmb, then {@link put16}: everything stored earlier is visible before this value is. */
  put16Release(address: number, value: number): number
  /** @returns 0 or a negative errno */
  put32(address: number, value: number): number
  /**
   * `copy_to_user` of `count` 32-bit words from words[index ..].
   *
   * @returns 0 or a negative errno
   */
  copyTo(address: number, words: Uint32Array, index: number, count: number): number
}
