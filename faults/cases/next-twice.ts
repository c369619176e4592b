import assert from 'node:assert/strict'
import { nextRewritten } from '@vring/explorer'
import { VIRTQ_DESC_F_NEXT } from '@vring/layout'
import { findingIn } from '../explored.ts'
import type { Fault } from '../fault.ts'
import { covers, descriptor, expose, racedQueue, WAYS } from '../rings.ts'

const WALKER = 'packages/virtqueue/src/split/split-chain-walker.ts'

export const fault: Fault = {
  id: 'CVE-2026-86848',
  system: 'DPDK vhost, crypto',
  fault: '`next` of a descriptor is read twice: checked once, followed as it is later',
  here: WALKER,
  holds: '`next` is read once: a driver that changes it after the check leads nowhere',
  notHere: null,
  explored: () => findingIn(nextRewritten),
  mutants: [
    {
      change: 'the `next` that is followed from a second load',
      file: WALKER,
      from: 'const next = this.nospec ? cpu.indexNospec(given, tableSize) : given\n',
      to: 'desc.loadWords(DESC_BYTES * batch.entry[chain]!, words, 0, 4)\n      const next = words[3]! >>> 16\n',
      race: true,
    },
  ],
  run() {
    for (const way of WAYS) {
      let changes = 0
      const q = racedQueue({ way }, ({ raw, ring }, _, at, length) => {
        assert.ok(at >= 0x1000 && at + length <= ring.device.address + ring.device.length, 'a load outside the ring')
        if (!covers(at, length, ring.desc.address + 14) || length !== 16) return
        changes++
        raw.desc.store32(12, (VIRTQ_DESC_F_NEXT | (0xffff << 16)) >>> 0)
      })
      descriptor(q, 0, q.heap, 10, VIRTQ_DESC_F_NEXT, 1)
      descriptor(q, 1, q.heap + 0x1000, 20, 0)
      expose(q, 0)
      assert.equal(q.device.popBatch(q.batch, 8), 1)
      assert.ok(changes > 0, 'the driver had its chance')
      assert.deepEqual([...q.batch.length.subarray(0, 2), q.batch.segStart[1]], [10, 20, 2])
      assert.equal(q.device.broken, null)
    }
  },
}
