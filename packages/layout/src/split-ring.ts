import { disjointAreas, type RingAreas, ringArea } from './ring-areas.ts'
import { refused } from './vring-error.ts'

/**
 * The split virtqueue (VirtIO 1.3 section 2.7). Sizes and offsets in bytes, `queueSize` in entries.
 *
 * ```
 *   descriptor table                avail ring (driver area)        used ring (device area)
 *   ┌──────────────┬─────┬─────┬─────┐  ┌───────┬─────┐                 ┌───────┬─────┐
 *   │ addr      64 │ len │flags│next │  │ flags │ idx │                 │ flags │ idx │
 *   ├──────────────┼─────┼─────┼─────┤  ├───────┴─────┤                 ├───────┴─────┤
 *   │ ...          │ 32  │ 16  │ 16  │  │ ring[0]  16 │                 │ id 32│len 32│
 *   └──────────────┴─────┴─────┴─────┘  │ ...         │                 │ ...         │
 *     16 bytes x queueSize              │ used_event  │                 │ avail_event │
 *                                       └─────────────┘                 └─────────────┘
 *                                        6 + 2 x queueSize               6 + 8 x queueSize
 * ```
 */

/** This descriptor continues in the one that `next` names (VIRTQ_DESC_F_NEXT). */
export const VIRTQ_DESC_F_NEXT = 1
/** The device writes this buffer; without it the device reads it (VIRTQ_DESC_F_WRITE). */
export const VIRTQ_DESC_F_WRITE = 2
/** This buffer holds a table of descriptors (VIRTQ_DESC_F_INDIRECT). */
export const VIRTQ_DESC_F_INDIRECT = 4
/** avail.flags: the driver asks for no notification (VIRTQ_AVAIL_F_NO_INTERRUPT); a hint. */
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1
/** used.flags: the device asks for no notification (VIRTQ_USED_F_NO_NOTIFY); a hint. */
export const VIRTQ_USED_F_NO_NOTIFY = 1

/** Bytes of one descriptor (struct virtq_desc). */
export const DESC_BYTES = 16
export const DESC_ADDR_OFFSET = 0
export const DESC_LEN_OFFSET = 8
export const DESC_FLAGS_OFFSET = 12
export const DESC_NEXT_OFFSET = 14

export const AVAIL_FLAGS_OFFSET = 0
export const AVAIL_IDX_OFFSET = 2
export const AVAIL_RING_OFFSET = 4
/** Bytes of one avail ring entry: the index of a chain's head. */
export const AVAIL_ENTRY_BYTES = 2

export const USED_FLAGS_OFFSET = 0
export const USED_IDX_OFFSET = 2
export const USED_RING_OFFSET = 4
/** Bytes of one used ring element: id (32 bits) and len (32 bits). */
export const USED_ELEM_BYTES = 8
export const USED_ELEM_ID_OFFSET = 0
export const USED_ELEM_LEN_OFFSET = 4

/** Alignment in bytes of the descriptor table (VirtIO 1.3 section 2.7). */
export const DESC_ALIGN = 16
/** Alignment in bytes of the avail ring. */
export const AVAIL_ALIGN = 2
/** Alignment in bytes of the used ring. */
export const USED_ALIGN = 4

/** The largest split queue, in entries: the largest power of two that a 16-bit index can tell full from empty. */
export const QUEUE_SIZE_MAX = 32768

/** Bytes of the descriptor table. */
export function descTableBytes(queueSize: number): number {
  return DESC_BYTES * queueSize
}

/** Offset of descriptor `index` in its table. */
export function descOffset(index: number): number {
  return DESC_BYTES * index
}

/** Bytes of the avail ring, with or without the used_event word (VIRTIO_F_EVENT_IDX). */
export function availRingBytes(queueSize: number, eventIdx: boolean): number {
  return AVAIL_RING_OFFSET + AVAIL_ENTRY_BYTES * queueSize + (eventIdx ? 2 : 0)
}

/** Offset of avail.ring[slot]; `slot` is already reduced modulo the queue size. */
export function availRingOffset(slot: number): number {
  return AVAIL_RING_OFFSET + AVAIL_ENTRY_BYTES * slot
}

/** Offset of used_event, the word after the avail ring. */
export function usedEventOffset(queueSize: number): number {
  return AVAIL_RING_OFFSET + AVAIL_ENTRY_BYTES * queueSize
}

/** Bytes of the used ring, with or without the avail_event word (VIRTIO_F_EVENT_IDX). */
export function usedRingBytes(queueSize: number, eventIdx: boolean): number {
  return USED_RING_OFFSET + USED_ELEM_BYTES * queueSize + (eventIdx ? 2 : 0)
}

/** Offset of used.ring[slot]; `slot` is already reduced modulo the queue size. */
export function usedRingOffset(slot: number): number {
  return USED_RING_OFFSET + USED_ELEM_BYTES * slot
}

/** Offset of avail_event, the word after the used ring. */
export function availEventOffset(queueSize: number): number {
  return USED_RING_OFFSET + USED_ELEM_BYTES * queueSize
}

/**
 * Throws unless `queueSize` is a power of two from 1 to 32768 (VirtIO 1.3 section 2.7).
 *
 * @throws VringError ERR_OUT_OF_RANGE
 */
export function checkQueueSize(queueSize: number, field = 'queueSize'): void {
  if (
    !Number.isInteger(queueSize) ||
    queueSize < 1 ||
    queueSize > QUEUE_SIZE_MAX ||
    (queueSize & (queueSize - 1)) !== 0
  )
    throw refused('ERR_OUT_OF_RANGE', field, queueSize, `a power of two from 1 to ${QUEUE_SIZE_MAX}`)
}

/**
 * `vring_need_event`: is `event` inside the window of indices (oldIdx, newIdx], modulo 2^16?
 * All three are free-running 16-bit indices. Source: VirtIO 1.3 section 2.7.7.2 and 2.7.10.
 */
export function needEvent(event: number, newIdx: number, oldIdx: number): boolean {
  return ((newIdx - event - 1) & 0xffff) < ((newIdx - oldIdx) & 0xffff)
}

/**
 * Checks the size, the alignment (16, 2 and 4 bytes, VirtIO 1.3 section 2.7) and the range of a split queue's areas. It
 * gives them with their lengths. The device reads the device area too: where its predecessor stopped.
 *
 * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED, ERR_OVERLAP
 */
export function splitRingAreas(
  queueSize: number,
  eventIdx: boolean,
  descAddress: number,
  driverAddress: number,
  deviceAddress: number,
): RingAreas {
  checkQueueSize(queueSize)
  const desc = ringArea('desc', descAddress, descTableBytes(queueSize), DESC_ALIGN, 'read')
  const driver = ringArea('driver', driverAddress, availRingBytes(queueSize, eventIdx), AVAIL_ALIGN, 'read')
  const device = ringArea('device', deviceAddress, usedRingBytes(queueSize, eventIdx), USED_ALIGN, 'read-write')
  return disjointAreas({ format: 'split', queueSize, eventIdx, desc, driver, device })
}
