import {
  DESC_BYTES,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import type { Case } from '../case.ts'
import { virtio } from '../clause.ts'
import { PackedRing } from '../driver/packed-ring.ts'
import { ATTACKED_SIZE, type Attack, attackRig, NOWHERE, strike } from './attack-rig.ts'

const NEXT = VIRTQ_DESC_F_NEXT
const WRITE = VIRTQ_DESC_F_WRITE
const INDIRECT = VIRTQ_DESC_F_INDIRECT

interface PackedAttack extends Attack {
  /** Writes into the ring; `at` is the guest address of a harmless page. */
  attack(ring: PackedRing, at: number): void
}

const PACKED: readonly PackedAttack[] = [
  { id: 'id-beyond', title: 'a buffer id beyond the ring', attack: (ring, at) => ring.writeNext(at, 64, 0xfff0, 0) },
  {
    id: 'loop',
    title: 'a chain that never ends',
    attack(ring, at) {
      for (let n = 0; n < ATTACKED_SIZE; n++) ring.writeNext(at, 64, 0, NEXT, n > 0)
    },
  },
  { id: 'nowhere', title: 'a buffer outside shared memory', attack: (ring) => ring.writeNext(NOWHERE, 64, 0, 0) },
  { id: 'wraps', title: 'a buffer that wraps at 2^64', attack: (ring) => ring.writeNext(2n ** 64n - 8n, 64, 0, 0) },
  { id: 'length-max', title: 'a length of 2^32 - 1', attack: (ring, at) => ring.writeNext(at, 0xffff_ffff, 0, 0) },
  {
    id: 'length-max-writable',
    title: 'a writable length of 2^32 - 1',
    attack: (ring, at) => ring.writeNext(at, 0xffff_ffff, 0, WRITE),
  },
  { id: 'length-zero', title: 'a buffer of no bytes', attack: (ring, at) => ring.writeNext(at, 0, 0, 0) },
  {
    id: 'only-writable',
    title: 'a chain that is writable only',
    attack: (ring, at) => ring.writeNext(at, 1, 0, WRITE),
  },
  {
    id: 'same-id',
    title: 'one buffer id in 8 chains',
    attack(ring, at) {
      for (let n = 0; n < 8; n++) ring.writeNext(at, 64, 0, 0)
    },
  },
  {
    id: 'indirect-nowhere',
    title: 'an indirect table outside shared memory',
    features: [VIRTIO_F_INDIRECT_DESC],
    attack: (ring) => ring.writeNext(NOWHERE, DESC_BYTES, 0, INDIRECT),
  },
  {
    id: 'indirect-odd',
    title: 'an indirect table of 24 bytes',
    features: [VIRTIO_F_INDIRECT_DESC],
    attack: (ring, at) => ring.writeNext(at, 24, 0, INDIRECT),
  },
  {
    id: 'indirect-huge',
    title: 'an indirect table of 2^32 - 16 bytes',
    features: [VIRTIO_F_INDIRECT_DESC],
    attack: (ring, at) => ring.writeNext(at, 0xffff_fff0, 0, INDIRECT),
  },
  {
    id: 'indirect-unasked',
    title: 'an indirect table that was not negotiated',
    attack: (ring, at) => ring.writeNext(at, DESC_BYTES, 0, INDIRECT),
  },
  {
    id: 'events',
    title: 'an event suppression area of all ones',
    attack(ring, at) {
      ring.memory.store16(ring.driver, 0xffff)
      ring.memory.store16(ring.driver + 2, 0xffff)
      ring.writeNext(at, 64, 0, 0)
    },
  },
]

/** What a hostile driver writes into a packed ring. */
export const packedAttacks: readonly Case[] = PACKED.map(({ id, title, features = [], attack }) => ({
  id: `attacks/packed-${id}`,
  title: `packed: ${title} does no harm`,
  clause: virtio('2.8.13'),
  level: 'robustness',
  needs: { device: 'any known', features: [VIRTIO_F_RING_PACKED, ...features] },
  run(bench) {
    const rig = attackRig(bench, features, true)
    const { ring } = rig.queue
    if (!(ring instanceof PackedRing)) return
    attack(ring, rig.at)
    strike(rig)
  },
}))
