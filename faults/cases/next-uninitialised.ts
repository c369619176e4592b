import assert from 'node:assert/strict'
import { featureSet, VIRTIO_F_INDIRECT_DESC, VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT } from '@vring/layout'
import type { Fault } from '../fault.ts'
import { descriptor, entry, expose, flatQueue, WAYS } from '../rings.ts'

const WALKER = 'packages/virtqueue/src/split/split-chain-walker.ts'

export const fault: Fault = {
  id: 'CVE-2026-86847',
  system: 'DPDK vhost, crypto',
  fault: '`next` is used where no descriptor set it',
  here: WALKER,
  holds: '`next` is followed of a descriptor that was loaded and says NEXT, and of no other',
  notHere: null,
  explored: 'the chain is malformed when it is made available',
  mutants: [
    {
      change: 'the flag NEXT is not asked for',
      file: WALKER,
      from: 'if ((flags & VIRTQ_DESC_F_NEXT) === 0) break\n',
      to: 'if ((flags & VIRTQ_DESC_F_NEXT) === 0 && walked > 1) break\n',
    },
    {
      change: 'a descriptor that could not be loaded leaves the one before in hand',
      file: WALKER,
      from: "if (status < 0) return indirect ? status : this.refuse('metadata-fault', status)\n",
      to: '\n',
    },
  ],
  run() {
    for (const way of WAYS) {
      // No NEXT: what stands in `next` means nothing.
      const last = flatQueue({ way })
      descriptor(last, 0, last.heap, 0, 0, 0xffff)
      descriptor(last, 1, last.heap, 30, 0, 7)
      expose(last, 0, 1)
      assert.equal(last.device.popBatch(last.batch, 8), 2)
      assert.deepEqual([...last.batch.segStart.subarray(0, 3)], [0, 0, 1])
      // The second descriptor of a table lies where no memory is: the first one's `next` is not followed again.
      const hole = flatQueue({ way, features: featureSet(VIRTIO_F_INDIRECT_DESC) })
      entry(hole, hole.heap, hole.heap + 0x1000, 64, VIRTQ_DESC_F_NEXT, 1)
      descriptor(hole, 0, hole.heap, 32, VIRTQ_DESC_F_INDIRECT)
      expose(hole, 0)
      hole.space.end = hole.heap + 16
      assert.ok(hole.device.popBatch(hole.batch, 8) < 0)
      assert.equal(hole.device.broken, 'indirect-fault')
    }
  },
}
