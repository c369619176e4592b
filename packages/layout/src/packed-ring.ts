import { disjointAreas, type RingAreas, ringArea } from './ring-areas.ts'
import { QUEUE_SIZE_MAX } from './split-ring.ts'
import { refused } from './vring-error.ts'

/**
 * The packed virtqueue (VirtIO 1.3 section 2.8). Sizes and offsets in bytes, `queueSize` in entries, of any number.
 *
 * ```
 *   descriptor ring (read and written by both)       event suppression: driver area, device area
 *   ┌──────────────────┬────────┬────────┬────────┐  ┌───────────────────────┬────────────────┐
 *   │ addr          64 │ len 32 │  id 16 │flags 16│  │ offset 15, wrap 1     │ flags 2        │
 *   ├──────────────────┼────────┼────────┼────────┤  └───────────────────────┴────────────────┘
 *   │ ...              │        │        │        │    4 bytes each
 *   └──────────────────┴────────┴────────┴────────┘
 *     16 bytes x queueSize                flags: AVAIL (bit 7) and USED (bit 15) against the wrap counters
 * ```
 */

/** Bytes of one packed descriptor: addr 64, len 32, id 16, flags 16. */
export const PACKED_DESC_BYTES = 16
export const PACKED_DESC_ADDR_OFFSET = 0
export const PACKED_DESC_LEN_OFFSET = 8
export const PACKED_DESC_ID_OFFSET = 12
export const PACKED_DESC_FLAGS_OFFSET = 14
/** flags bit 7: VIRTQ_DESC_F_AVAIL. */
export const VIRTQ_DESC_F_AVAIL: number = 1 << 7
/** flags bit 15: VIRTQ_DESC_F_USED. */
export const VIRTQ_DESC_F_USED: number = 1 << 15
/** Bytes of one event suppression structure: desc event offset and wrap counter 16, flags 16. */
export const PACKED_EVENT_BYTES = 4
/** Alignment in bytes of the packed descriptor ring. */
export const PACKED_DESC_ALIGN = 16
/** Alignment in bytes of an event suppression structure. */
export const PACKED_EVENT_ALIGN = 4
/** Offset of the word that holds descriptor event offset (bits 0 to 14) and wrap counter (bit 15). */
export const PACKED_EVENT_OFF_WRAP_OFFSET = 0
export const PACKED_EVENT_FLAGS_OFFSET = 2
/** Event suppression flags (VirtIO 1.3 section 2.8.14). */
export const RING_EVENT_FLAGS_ENABLE = 0
export const RING_EVENT_FLAGS_DISABLE = 1
export const RING_EVENT_FLAGS_DESC = 2

/**
 * Throws unless `queueSize` is an integer from 1 to 32768 (VirtIO 1.3 section 2.8): no power of two is asked for.
 *
 * @throws VringError ERR_OUT_OF_RANGE
 */
export function checkPackedQueueSize(queueSize: number, field = 'queueSize'): void {
  if (!Number.isInteger(queueSize) || queueSize < 1 || queueSize > QUEUE_SIZE_MAX)
    throw refused('ERR_OUT_OF_RANGE', field, queueSize, `an integer from 1 to ${QUEUE_SIZE_MAX}`)
}

/**
 * Checks the size, the alignment (16, 4 and 4 bytes, VirtIO 1.3 section 2.8) and the range of a packed queue's areas.
 * It gives them with their lengths. The device writes used descriptors over available ones, and its event suppression
 * structure, which only the driver reads.
 *
 * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED, ERR_OVERLAP
 */
export function packedRingAreas(
  queueSize: number,
  eventIdx: boolean,
  descAddress: number,
  driverAddress: number,
  deviceAddress: number,
): RingAreas {
  checkPackedQueueSize(queueSize)
  const desc = ringArea('desc', descAddress, PACKED_DESC_BYTES * queueSize, PACKED_DESC_ALIGN, 'read-write')
  const driver = ringArea('driver', driverAddress, PACKED_EVENT_BYTES, PACKED_EVENT_ALIGN, 'read')
  const device = ringArea('device', deviceAddress, PACKED_EVENT_BYTES, PACKED_EVENT_ALIGN, 'write')
  return disjointAreas({ format: 'packed', queueSize, eventIdx, desc, driver, device })
}
