import type { Cpu, RingLease, Window } from '@vring/accessor'
import { USED_ELEM_BYTES, USED_IDX_OFFSET, USED_RING_OFFSET } from '@vring/layout'
import type { RingLog } from '../device-queue.ts'

/**
 * Writes the used ring (VirtIO 1.3 section 2.7.8): the elements of a batch, then used.idx with release. A driver that finds
 * the index moved on finds each element before it.
 */
export class SplitPublisher {
  private readonly cpu: Cpu
  private readonly device: Window

  constructor(cpu: Cpu, device: Window) {
    this.cpu = cpu
    this.device = device
  }

  /**
   * Inside a hold, which it ends: stores used elements (id, length) from elements[at ..] and then used.idx.
   *
   * @param slot where the first of them goes
   * @param first how many go from there to the end of the ring; the rest goes to its start
   * @returns 0
   */
  publishByLease(
    lease: RingLease,
    slot: number,
    elements: Uint32Array,
    at: number,
    first: number,
    stored: number,
    usedIdx: number,
  ): number {
    const { cpu } = this
    const ring = lease.deviceWord + (USED_RING_OFFSET >>> 2)
    cpu.storeWords(lease.device32, ring + 2 * slot, elements, at, 2 * first)
    if (first < stored) cpu.storeWords(lease.device32, ring, elements, at + 2 * first, 2 * (stored - first))
    cpu.store16Release(lease.device16, lease.deviceHalf + (USED_IDX_OFFSET >>> 1), usedIdx)
    lease.release(0, 0, first < stored ? 3 : 2)
    return 0
  }

  /**
   * As {@link publishByLease}, by the window.
   *
   * @returns 0 or a negative errno: then used.idx is as it was
   */
  publishByWindow(
    slot: number,
    elements: Uint32Array,
    at: number,
    first: number,
    stored: number,
    usedIdx: number,
  ): number {
    const { device } = this
    let status = device.storeWords(USED_RING_OFFSET + USED_ELEM_BYTES * slot, elements, at, 2 * first)
    if (status === 0 && first < stored)
      status = device.storeWords(USED_RING_OFFSET, elements, at + 2 * first, 2 * (stored - first))
    return status < 0 ? status : device.store16Release(USED_IDX_OFFSET, usedIdx)
  }

  /** Data first, then the log: a reader of the log must find what it points at. Source: Linux `__vhost_add_used_n`. */
  logTo(log: RingLog, slot: number, first: number, stored: number): void {
    log.write('device', USED_RING_OFFSET + USED_ELEM_BYTES * slot, USED_ELEM_BYTES * first)
    if (first < stored) log.write('device', USED_RING_OFFSET, USED_ELEM_BYTES * (stored - first))
    log.write('device', USED_IDX_OFFSET, 2)
  }
}
