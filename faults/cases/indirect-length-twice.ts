import assert from 'node:assert/strict'
import { tableRewritten } from '@vring/explorer'
import {
  featureSet,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
} from '@vring/layout'
import { findingIn } from '../explored.ts'
import type { Fault } from '../fault.ts'
import { covers, descriptor, entry, expose, racedQueue, WAYS } from '../rings.ts'

const WALKER = 'packages/virtqueue/src/split/split-chain-walker.ts'
const LENGTH = 8

export const fault: Fault = {
  id: 'CVE-2026-93683',
  system: 'DPDK vhost',
  fault: 'the length of an indirect table is read twice: checked once, used as it is later',
  here: WALKER,
  holds: 'the length of an indirect table is read once: a table that grows meanwhile is the one that was checked',
  notHere: null,
  explored: () => findingIn(tableRewritten),
  mutants: [
    {
      change: 'entries of the table from a second load of its length',
      file: WALKER,
      from: 'tableSize = bytes / DESC_BYTES\n',
      to: 'desc.loadWords(DESC_BYTES * batch.entry[chain]!, words, 0, 4)\n        tableSize = words[2]! / DESC_BYTES\n',
      race: true,
    },
  ],
  run() {
    for (const way of WAYS) {
      split(way)
      packed(way)
    }
  },
}

/** A table of two descriptors, the second of which goes on to the third: one that the first length does not have. */
function split(way: 'windows' | 'lease'): void {
  let loads = 0
  const q = racedQueue({ way, features: featureSet(VIRTIO_F_INDIRECT_DESC) }, ({ raw, ring }, _, at, length) => {
    if (covers(at, length, ring.desc.address + LENGTH) && ++loads > 0 && length === 16)
      raw.desc.store32(LENGTH, 16 * 1024)
  })
  entry(q, q.heap, q.heap + 0x1000, 64, VIRTQ_DESC_F_NEXT, 1)
  entry(q, q.heap + 16, q.heap + 0x2000, 64, VIRTQ_DESC_F_NEXT, 2)
  entry(q, q.heap + 32, 0xdead_0000, 64, 0)
  descriptor(q, 0, q.heap, 32, VIRTQ_DESC_F_INDIRECT)
  expose(q, 0)
  const popped = q.device.popBatch(q.batch, 8)
  assert.ok(loads > 0, 'the driver had its chance')
  assert.deepEqual([popped < 0, q.device.broken], [true, 'next-out-of-range'])
}

function packed(way: 'windows' | 'lease'): void {
  let loads = 0
  const features = featureSet(VIRTIO_F_INDIRECT_DESC, VIRTIO_F_RING_PACKED)
  const q = racedQueue({ way, format: 'packed', features }, ({ raw, ring }, _, at, length) => {
    if (covers(at, length, ring.desc.address + LENGTH) && ++loads > 0 && length === 16)
      raw.desc.store32(LENGTH, 16 * 1024)
  })
  for (let i = 0; i < 8; i++) entry(q, q.heap + 16 * i, q.heap + 0x1000 * (i + 1), 64, 0)
  q.driver.addIndirect(q.heap, 2)
  q.driver.publish()
  assert.equal(q.device.popBatch(q.batch, 8), 1)
  assert.ok(loads > 0, 'the driver had its chance')
  assert.equal(q.batch.segStart[1], 2)
}
