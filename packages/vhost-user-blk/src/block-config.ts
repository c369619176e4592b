import { SECTOR_BYTES } from './block-store.ts'

/** Bytes of `struct virtio_blk_config`, zoned part included (VirtIO 1.3 section 5.2.4). */
export const BLOCK_CONFIG_BYTES = 96

/** Buffers of a request, header and status not counted: what Linux puts into one at most. */
export const SEGMENTS_MAX = 126
/** Bytes of data that one request may have. */
export const REQUEST_BYTES_MAX: number = 2 ** 25
/** Ranges of one discard, and sectors of each. */
export const DISCARD_SEGMENTS_MAX = 64
export const DISCARD_SECTORS_MAX: number = 2 ** 22
/** Ranges of one write of zeroes, and sectors of each. */
export const ZEROES_SEGMENTS_MAX = 16
export const ZEROES_SECTORS_MAX: number = 2 ** 16

/** The configuration space of a device of this many bytes and queues. */
export function blockConfig(bytes: number, queueCount: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(BLOCK_CONFIG_BYTES))
  view.setBigUint64(0, BigInt(bytes / SECTOR_BYTES), true) // capacity
  view.setUint32(8, REQUEST_BYTES_MAX / 32, true) // size_max
  view.setUint32(12, SEGMENTS_MAX, true) // seg_max
  view.setUint32(20, SECTOR_BYTES, true) // blk_size
  view.setUint16(34, queueCount, true) // num_queues
  view.setUint32(36, DISCARD_SECTORS_MAX, true)
  view.setUint32(40, DISCARD_SEGMENTS_MAX, true)
  view.setUint32(44, 1, true) // discard_sector_alignment
  view.setUint32(48, ZEROES_SECTORS_MAX, true)
  view.setUint32(52, ZEROES_SEGMENTS_MAX, true)
  view.setUint8(56, 1) // write_zeroes_may_unmap
  return new Uint8Array(view.buffer)
}
