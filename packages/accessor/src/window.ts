import type { AccessMode } from './access-counters.ts'

/**
 * One of a queue's three areas, as an accessor reaches it. The seam of the kernel's vringh: get 16, put 16, copy
 * descriptor, put used elements; so split, packed and any later ring stay ring logic, and a plugin stays small.
 *
 * Offsets are bytes from the start of the area. The ring checks indices; a window checks that memory is there.
 * Hot: no allocation, no exception, no BigInt. Every method returns a negative errno on a fault (-EFAULT), having
 * changed nothing that the other side has been told of.
 */
export interface Window {
  /**
   * How an access would run now: for traces, never asked on the hot path. A window that leaves it out is traced as
   * `unknown`.
   */
  readonly mode?: AccessMode | undefined
  /** @returns 0 .. 0xffff, or a negative errno */
  load16(offset: number): number
  /** As {@link load16}; loads behind it see what the other side stored before its matching release. */
  load16Acquire(offset: number): number
  /** @returns 0 .. 0xffffffff, or a negative errno */
  load32(offset: number): number
  /**
   * Copies the 16 bytes of a descriptor to out[index .. index + 3] (little-endian words), fetched once.
   *
   * @returns 0 or a negative errno
   */
  loadDescriptor(offset: number, out: Uint32Array, index: number): number
  /** @returns 0 or a negative errno */
  store16(offset: number, value: number): number
  /** As {@link store16}; everything stored before it is visible to whoever acquires this value. */
  store16Release(offset: number, value: number): number
  /** @returns 0 or a negative errno */
  store32(offset: number, value: number): number
  /**
   * Stores `count` contiguous used elements (id, len: 8 bytes each) from elements[index ..], two words an element.
   * One access however many elements, as the kernel's one copy_to_user for a batch. The caller splits at the ring's end.
   *
   * @returns 0 or a negative errno
   */
  storeUsed(offset: number, elements: Uint32Array, index: number, count: number): number
}
