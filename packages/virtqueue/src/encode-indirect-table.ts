import {
  DESC_BYTES,
  DESC_FLAGS_OFFSET,
  DESC_LEN_OFFSET,
  DESC_NEXT_OFFSET,
  PACKED_DESC_FLAGS_OFFSET,
  type RingAreas,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import type { DriverBuffer } from './driver-queue.ts'

/**
 * The bytes of an indirect table, 16 for each buffer, for `DriverQueue.addIndirect`. In a split ring's table each
 * descriptor names the next one. In a packed ring's the next one follows, and of the flags only WRITE counts.
 * Source: VirtIO 1.3 sections 2.7.5.3 and 2.8.7.
 */
export function encodeIndirectTable(format: RingAreas['format'], buffers: readonly DriverBuffer[]): Uint8Array {
  const table = new DataView(new ArrayBuffer(DESC_BYTES * buffers.length))
  for (const [index, { address, length, writable = false }] of buffers.entries()) {
    const at = DESC_BYTES * index
    const write = writable ? VIRTQ_DESC_F_WRITE : 0
    table.setBigUint64(at, BigInt(address), true)
    table.setUint32(at + DESC_LEN_OFFSET, length, true)
    if (format === 'packed') {
      table.setUint16(at + PACKED_DESC_FLAGS_OFFSET, write, true)
      continue
    }
    const last = index + 1 === buffers.length
    table.setUint16(at + DESC_FLAGS_OFFSET, last ? write : write | VIRTQ_DESC_F_NEXT, true)
    table.setUint16(at + DESC_NEXT_OFFSET, last ? 0 : index + 1, true)
  }
  return new Uint8Array(table.buffer)
}
