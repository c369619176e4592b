import {
  DESC_BYTES,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import type { Case } from '../case.ts'
import { virtio } from '../clause.ts'
import type { SharedMemory } from '../driver/shared-memory.ts'
import { SplitRing } from '../driver/split-ring.ts'
import { ATTACKED_SIZE, type Attack, attackRig, NOWHERE, strike, strikeAsItIs } from './attack-rig.ts'

const NEXT = VIRTQ_DESC_F_NEXT
const WRITE = VIRTQ_DESC_F_WRITE
const INDIRECT = VIRTQ_DESC_F_INDIRECT

interface SplitAttack extends Attack {
  /** Writes into the ring; `at` is the guest address of a harmless page. */
  attack(ring: SplitRing, at: number): void
}

/** Writes descriptor 0 and makes it available. */
function single(ring: SplitRing, address: number | bigint, length: number, flags: number, next = 0): void {
  ring.writeDescriptor(0, address, length, flags, next)
  ring.writeAvail(0)
}

/** A table of descriptors of its own; its guest address. */
function table(
  memory: SharedMemory,
  ring: SplitRing,
  entries: readonly [number | bigint, number, number, number][],
): number {
  const at = memory.take(DESC_BYTES * entries.length, DESC_BYTES)
  for (const [index, [address, length, flags, next]] of entries.entries())
    ring.writeDescriptor(index, address, length, flags, next, at)
  return memory.guest(at)
}

const SPLIT: readonly SplitAttack[] = [
  {
    id: 'avail-ahead',
    title: 'an available index that is further ahead than the ring is long',
    attack: (ring) => ring.writeAvailIdx(ATTACKED_SIZE + 1),
  },
  {
    id: 'avail-far',
    title: 'an available index that is half a round ahead',
    attack: (ring) => ring.writeAvailIdx(0x8000),
  },
  { id: 'avail-back', title: 'an available index that goes back', attack: (ring) => ring.writeAvailIdx(0xffff) },
  { id: 'head-beyond', title: 'a head beyond the descriptor table', attack: (ring) => ring.writeAvail(ATTACKED_SIZE) },
  { id: 'head-max', title: 'head 65535', attack: (ring) => ring.writeAvail(0xffff) },
  {
    id: 'next-beyond',
    title: 'a next descriptor beyond the table',
    attack: (ring, at) => single(ring, at, 64, NEXT, 0xfff0),
  },
  { id: 'loop-one', title: 'a descriptor that is its own next', attack: (ring, at) => single(ring, at, 64, NEXT, 0) },
  {
    id: 'loop-two',
    title: 'two descriptors that are each the next of the other',
    attack(ring, at) {
      ring.writeDescriptor(1, at, 64, NEXT, 0)
      single(ring, at, 64, NEXT, 1)
    },
  },
  { id: 'nowhere', title: 'a buffer outside shared memory', attack: (ring) => single(ring, NOWHERE, 64, 0) },
  {
    id: 'nowhere-writable',
    title: 'a writable buffer outside shared memory',
    attack: (ring) => single(ring, NOWHERE, 64, WRITE),
  },
  { id: 'wraps', title: 'a buffer that wraps at 2^64', attack: (ring) => single(ring, 2n ** 64n - 8n, 64, 0) },
  {
    id: 'beyond-region',
    title: 'a buffer that ends beyond its region',
    attack: (ring, at) => single(ring, at, 0x4000_0000, 0),
  },
  { id: 'length-max', title: 'a length of 2^32 - 1', attack: (ring, at) => single(ring, at, 0xffff_ffff, 0) },
  {
    id: 'length-max-writable',
    title: 'a writable length of 2^32 - 1',
    attack: (ring, at) => single(ring, at, 0xffff_ffff, WRITE),
  },
  { id: 'length-zero', title: 'a buffer of no bytes', attack: (ring, at) => single(ring, at, 0, 0) },
  {
    id: 'length-short',
    title: 'a request that is shorter than its header',
    attack: (ring, at) => single(ring, at, 3, 0),
  },
  { id: 'only-writable', title: 'a chain that is writable only', attack: (ring, at) => single(ring, at, 1, WRITE) },
  {
    id: 'readable-last',
    title: 'a readable buffer after a writable one',
    attack(ring, at) {
      ring.writeDescriptor(1, at, 64, 0, 0)
      single(ring, at, 64, NEXT | WRITE, 1)
    },
  },
  { id: 'flags-unknown', title: 'a descriptor with all flags', attack: (ring, at) => single(ring, at, 64, 0xffff) },
  {
    id: 'indirect-unasked',
    title: 'an indirect table that was not negotiated',
    attack: (ring, at) => single(ring, at, DESC_BYTES, INDIRECT),
  },
  {
    id: 'indirect-nowhere',
    title: 'an indirect table outside shared memory',
    features: [VIRTIO_F_INDIRECT_DESC],
    attack: (ring) => single(ring, NOWHERE, DESC_BYTES, INDIRECT),
  },
  {
    id: 'indirect-empty',
    title: 'an indirect table of no bytes',
    features: [VIRTIO_F_INDIRECT_DESC],
    attack: (ring, at) => single(ring, at, 0, INDIRECT),
  },
  {
    id: 'indirect-odd',
    title: 'an indirect table of 24 bytes',
    features: [VIRTIO_F_INDIRECT_DESC],
    attack: (ring, at) => single(ring, at, 24, INDIRECT),
  },
  {
    id: 'indirect-huge',
    title: 'an indirect table of 2^32 - 16 bytes',
    features: [VIRTIO_F_INDIRECT_DESC],
    attack: (ring, at) => single(ring, at, 0xffff_fff0, INDIRECT),
  },
  {
    id: 'indirect-next',
    title: 'an indirect descriptor that has a next one',
    features: [VIRTIO_F_INDIRECT_DESC],
    attack: (ring, at) => single(ring, at, DESC_BYTES, INDIRECT | NEXT, 1),
  },
  {
    id: 'indirect-nested',
    title: 'an indirect table in an indirect table',
    features: [VIRTIO_F_INDIRECT_DESC],
    attack(ring, at) {
      const inner = table(ring.memory, ring, [[at, 64, 0, 0]])
      single(ring, table(ring.memory, ring, [[inner, DESC_BYTES, INDIRECT, 0]]), DESC_BYTES, INDIRECT)
    },
  },
  {
    id: 'indirect-loop',
    title: 'an indirect table whose descriptors go round',
    features: [VIRTIO_F_INDIRECT_DESC],
    attack(ring, at) {
      const entries: [number, number, number, number][] = [
        [at, 64, NEXT, 1],
        [at, 64, NEXT, 0],
      ]
      single(ring, table(ring.memory, ring, entries), 2 * DESC_BYTES, INDIRECT)
    },
  },
  {
    id: 'indirect-next-beyond',
    title: 'a next descriptor beyond its indirect table',
    features: [VIRTIO_F_INDIRECT_DESC],
    attack: (ring, at) => single(ring, table(ring.memory, ring, [[at, 64, NEXT, 5000]]), DESC_BYTES, INDIRECT),
  },
  {
    id: 'same-head',
    title: 'one head made available 16 times',
    attack(ring, at) {
      ring.writeDescriptor(0, at, 64, 0, 0)
      for (let n = 0; n < ATTACKED_SIZE; n++) ring.writeAvail(0)
    },
  },
]

/** What a hostile driver writes into a split ring. */
export const splitAttacks: readonly Case[] = SPLIT.map(({ id, title, features = [], attack }) => ({
  id: `attacks/split-${id}`,
  title: `split: ${title} does no harm`,
  clause: virtio('2.7.5'),
  level: 'robustness',
  needs: { device: 'any known', features },
  run(bench) {
    const rig = attackRig(bench, features, false)
    const { ring } = rig.queue
    if (!(ring instanceof SplitRing)) return
    attack(ring, rig.at)
    // An index that was written as it is would be written over.
    if (ring.nextAvail === 0) strikeAsItIs(rig)
    else strike(rig)
  },
}))
