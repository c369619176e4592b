import { DESC_BYTES, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT } from '@vring/layout'
import type { HostileRing, RingWriter } from './hostile-rings.ts'

/** Writes the descriptor of a slot, available in the first lap. */
function available(ring: RingWriter, slot: number, address: number, length: number, flags: number, id: number): void {
  ring.desc(
    DESC_BYTES * slot,
    address >>> 0,
    Math.floor(address / 2 ** 32),
    length,
    (id | ((flags | VIRTQ_DESC_F_AVAIL) << 16)) >>> 0,
  )
}

/** As {@link HOSTILE_RINGS}, of packed rings: there is no index to follow, but an id to give back, and chains. */
export const packedHostileRings: readonly HostileRing[] = [
  {
    name: 'packed: well-formed chains',
    format: 'packed',
    write(ring) {
      available(ring, 0, ring.bufferAddress, 64, 0, 0)
      available(ring, 1, ring.bufferAddress + 64, 64, VIRTQ_DESC_F_NEXT, 1)
      available(ring, 2, ring.bufferAddress + 128, 64, 0, 1)
    },
  },
  {
    name: 'packed: id out of range',
    format: 'packed',
    write(ring) {
      available(ring, 0, ring.bufferAddress, 64, 0, 0)
      available(ring, 1, ring.bufferAddress, 64, 0, 0xfff7)
    },
  },
  {
    name: 'packed: id out of range at the end of a chain',
    format: 'packed',
    write(ring) {
      available(ring, 0, ring.bufferAddress, 64, VIRTQ_DESC_F_NEXT, 0xfff7)
      available(ring, 1, ring.bufferAddress, 64, 0, 0xfff7)
    },
  },
  {
    name: 'packed: id out of range of an indirect table that names tables',
    format: 'packed',
    write(ring) {
      const word = ((VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_NEXT) << 16) | 0xfff7
      for (const entry of [0, 1]) ring.buffer(DESC_BYTES * entry, ring.bufferAddress + 256, 0, 64, word >>> 0)
      available(ring, 0, ring.bufferAddress, 2 * DESC_BYTES, VIRTQ_DESC_F_INDIRECT, 0xfff7)
    },
  },
]
