/**
 * One of a queue's three areas, as an accessor reaches it. It has single accesses, each with the check, mask, fence or
 * look-up that its way of reaching memory takes. An accessor knows no ring format; the ring knows no way of reaching
 * memory.
 *
 * Offsets are bytes from the start of the area. The ring checks indices. A window checks that memory is there, and that
 * the area's `access` permits what is done. A store to an area that is only read, or a load from one that is only
 * written, is -EFAULT.
 *
 * Deferred stores are forbidden: when a store returns 0 its value is in memory, in the order of the calls. No window
 * keeps one back, until the end of the round or until a release. The other side would see an index before its entries.
 *
 * Hot: no allocation, no exception, no BigInt. Every method returns a negative errno on a fault, having changed nothing.
 */
export interface Window {
  /** @returns 0 .. 0xffff, or a negative errno */
  load16(offset: number): number
  /** As {@link load16}; later loads see what the other side stored before its matching release. */
  load16Acquire(offset: number): number
  /** @returns 0 .. 0xffffffff, or a negative errno */
  load32(offset: number): number
  /**
   * Copies `count` 32-bit words to out[index ..], each fetched once.
   *
   * @returns 0 or a negative errno
   */
  loadWords(offset: number, out: Uint32Array, index: number, count: number): number
  /** @returns 0 or a negative errno */
  store16(offset: number, value: number): number
  /** As {@link store16}; everything stored before it is visible to a thread that acquires this value. */
  store16Release(offset: number, value: number): number
  /** @returns 0 or a negative errno */
  store32(offset: number, value: number): number
  /**
   * Stores `count` 32-bit words from words[index ..]: one access however many, as the kernel's one copy_to_user for a batch.
   *
   * @returns 0 or a negative errno
   */
  storeWords(offset: number, words: Uint32Array, index: number, count: number): number
}
