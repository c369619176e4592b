import { DESC_BYTES } from '@vring/layout'
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
  /**
   * {@link load16} of `count` words side by side, one access after the other, to out[index ..]. A window may leave it out;
   * one that has it gives V8 a loop so small that it keeps in registers what no access changes.
   *
   * @returns how many were loaded before one failed; the errno when it was the first
   */
  load16Batch?(offset: number, out: Uint16Array, index: number, count: number): number
  /**
   * {@link loadDescriptor} of the descriptors that slots[index .. index + count - 1] number, one access after the other:
   * descriptor slots[i] to out[4 * i ..]. As with {@link load16Batch}, a window may leave it out.
   *
   * @returns how many were loaded before one failed; the errno when it was the first
   */
  loadDescriptorBatch?(slots: Uint16Array, out: Uint32Array, index: number, count: number): number
}

/** {@link Window.load16Batch}, also of a window that leaves it out. */
export function load16Batch(window: Window, offset: number, out: Uint16Array, index: number, count: number): number {
  if (window.load16Batch !== undefined) return window.load16Batch(offset, out, index, count)
  return load16Each(window, offset, out, index, count)
}

/** {@link Window.loadDescriptorBatch}, also of a window that leaves it out. */
export function loadDescriptorBatch(
  window: Window,
  slots: Uint16Array,
  out: Uint32Array,
  index: number,
  count: number,
): number {
  if (window.loadDescriptorBatch !== undefined) return window.loadDescriptorBatch(slots, out, index, count)
  return loadDescriptorEach(window, slots, out, index, count)
}

/** {@link Window.load16Batch} by one {@link Window.load16} after the other. */
export function load16Each(window: Window, offset: number, out: Uint16Array, index: number, count: number): number {
  for (let done = 0; done < count; done++) {
    const value = window.load16(offset + 2 * done)
    if (value < 0) return done > 0 ? done : value
    out[index + done] = value
  }
  return count
}

/** {@link Window.loadDescriptorBatch} by one {@link Window.loadDescriptor} after the other. */
export function loadDescriptorEach(
  window: Window,
  slots: Uint16Array,
  out: Uint32Array,
  index: number,
  count: number,
): number {
  for (let done = 0; done < count; done++) {
    const at = index + done
    const status = window.loadDescriptor(DESC_BYTES * slots[at]!, out, 4 * at)
    if (status < 0) return done > 0 ? done : status
  }
  return count
}
