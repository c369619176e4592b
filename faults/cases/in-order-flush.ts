import assert from 'node:assert/strict'
import { featureSet, VIRTIO_F_IN_ORDER, VIRTIO_F_RING_PACKED } from '@vring/layout'
import type { Fault } from '../fault.ts'
import { flatQueue, WAYS } from '../rings.ts'

const SPLIT = 'packages/virtqueue/src/split/split-device-queue.ts'
const PACKED = 'packages/virtqueue/src/packed/packed-device-queue.ts'

export const fault: Fault = {
  id: 'QEMU issue 3882',
  system: 'QEMU virtio, virtqueue_ordered_flush',
  fault: 'the flush of chains in order walks past the elements that it holds',
  here: SPLIT,
  holds: 'in order, a batch of any length at any slot gives every chain back once and reads no element beyond its own',
  notHere: null,
  explored: 'the device alone writes what it flushes',
  mutants: [
    {
      change: 'split: the element after the last one stands for the batch',
      file: SPLIT,
      from: 'one ? 2 * (count - 1) : 0, one ? 1 : count, count)',
      to: 'one ? 2 * count : 0, one ? 1 : count, count)',
    },
    {
      change: 'packed: the element after the last one stands for the batch',
      file: PACKED,
      from: 'one ? count - 1 : 0, one ? 1 : count, entries, !readable)',
      to: 'one ? count : 0, one ? 1 : count, entries, !readable)',
    },
    {
      change: 'packed: entries of all chains but the first',
      file: PACKED,
      from: 'const entries = batch.uniform ? count : entriesOf(batch.slots, 0, count)\n      status',
      to: 'const entries = batch.uniform ? count - 1 : entriesOf(batch.slots, 0, count)\n      status',
    },
  ],
  run() {
    for (const way of WAYS)
      for (const format of ['split', 'packed'] as const)
        for (let count = 1; count <= 8; count++) {
          const bits = format === 'packed' ? [VIRTIO_F_IN_ORDER, VIRTIO_F_RING_PACKED] : [VIRTIO_F_IN_ORDER]
          const q = flatQueue({ way, format, features: featureSet(...bits) })
          for (let round = 0; round < 9; round++) {
            const added: number[] = []
            for (let i = 0; i < count; i++) added.push(q.driver.addOne(q.heap, 64, false))
            q.driver.publish()
            assert.equal(q.device.popBatch(q.batch, 8), count)
            // Some go back and are taken again, as when a backend is full.
            q.device.rewind(q.batch, count >> 1)
            const first = count - (count >> 1)
            assert.equal(q.device.useBatch(q.batch, first), 0)
            if (format === 'split')
              assert.equal(
                q.raw.device.load32(4 + 8 * ((count * round) % 8)),
                added[first - 1],
                'the last one stands for all',
              )
            assert.equal(q.device.popBatch(q.batch, 8), count >> 1)
            assert.equal(q.device.useBatch(q.batch, count >> 1), 0)
            const used: number[] = []
            while (q.driver.getUsed()) used.push(q.driver.usedId)
            assert.deepEqual(used, added, `${format}, ${way}, ${count} chains, round ${round}`)
            assert.equal(q.device.broken, null)
          }
        }
  },
}
