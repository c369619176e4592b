import {
  AVAIL_IDX_OFFSET,
  AVAIL_RING_OFFSET,
  DESC_BYTES,
  type RingAreas,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
} from '@vring/layout'
import { packedHostileRings } from './packed-hostile-rings.ts'

/** Where a hostile ring writes. */
export interface RingWriter {
  desc(offset: number, ...words: number[]): void
  /** In the driver area. */
  avail16(offset: number, value: number): void
  buffer(offset: number, ...words: number[]): void
  /** Guest-physical address of the buffers. */
  readonly bufferAddress: number
}

/** A ring that a driver prepared to mislead the device: architecturally harmless, every index is checked. */
export interface HostileRing {
  readonly name: string
  readonly format: RingAreas['format']
  write(ring: RingWriter): void
}

const publish = (ring: RingWriter, ...heads: number[]): void => {
  for (const [slot, head] of heads.entries()) ring.avail16(AVAIL_RING_OFFSET + 2 * slot, head)
  ring.avail16(AVAIL_IDX_OFFSET, heads.length)
}

const descriptor = (address: number, length: number, flags = 0, next = 0): [number, number, number, number] => [
  address >>> 0,
  Math.floor(address / 2 ** 32),
  length,
  flags | (next << 16),
]

const splitHostileRings: readonly Omit<HostileRing, 'format'>[] = [
  {
    name: 'well-formed chains',
    write(ring) {
      ring.desc(0, ...descriptor(ring.bufferAddress, 64, VIRTQ_DESC_F_NEXT, 1))
      ring.desc(DESC_BYTES, ...descriptor(ring.bufferAddress + 64, 64))
      ring.desc(2 * DESC_BYTES, ...descriptor(ring.bufferAddress + 128, 64))
      publish(ring, 0, 2)
    },
  },
  {
    name: 'head out of range',
    write(ring) {
      ring.desc(0, ...descriptor(ring.bufferAddress, 64))
      publish(ring, 0, 0xfff7)
    },
  },
  {
    name: 'head just past the end of the table',
    write(ring) {
      ring.desc(0, ...descriptor(ring.bufferAddress, 64))
      publish(ring, 0, PAGE_ENTRIES)
    },
  },
  {
    name: 'next out of range',
    write(ring) {
      ring.desc(0, ...descriptor(ring.bufferAddress, 64, VIRTQ_DESC_F_NEXT, 0xfff7))
      publish(ring, 0)
    },
  },
  {
    name: 'next out of range in an indirect table',
    write(ring) {
      ring.buffer(0, ...descriptor(ring.bufferAddress + 256, 64, VIRTQ_DESC_F_NEXT, 0x7ff7))
      ring.desc(0, ...descriptor(ring.bufferAddress, 2 * DESC_BYTES, VIRTQ_DESC_F_INDIRECT))
      publish(ring, 0)
    },
  },
]

/**
 * Every index that a driver chooses, out of range. Split: the head, the next of a table, the next of an indirect table.
 * Packed: the buffer id, and what there is of chains and tables.
 */
export const HOSTILE_RINGS: readonly HostileRing[] = [
  ...splitHostileRings.map((ring): HostileRing => ({ format: 'split', ...ring })),
  ...packedHostileRings,
]

/** Descriptors of one page: the first index after a table that fills its page. */
const PAGE_ENTRIES = 4096 / DESC_BYTES
