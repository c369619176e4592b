import assert from 'node:assert/strict'
import {
  featureSet,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_VERSION_1,
  VIRTIO_NET_F_MRG_RXBUF,
} from '@vring/layout'
import { RxRound } from '@vring/vhost-net'
import { ArraySource, frame, LOW, netQueue } from '../../packages/vhost-net/test/net-queue.ts'
import type { Fault } from '../fault.ts'
import { HostileCpu } from '../hostile-cpu.ts'
import { flatQueue, WAYS } from '../rings.ts'

const SPLIT = 'packages/virtqueue/src/split/split-device-queue.ts'
const PACKED = 'packages/virtqueue/src/packed/packed-device-queue.ts'

export const fault: Fault = {
  id: 'CVE-2026-74356',
  system: 'Linux vhost_net, vhost_get_avail_idx',
  fault: 'buffers that are too few for a mergeable frame count as new ones each time: the worker never sleeps',
  here: SPLIT,
  holds: 'a frame that lacks buffers ends its round: only buffers that came since the last look count as more',
  notHere: null,
  explored: 'the driver does nothing meanwhile',
  mutants: [
    {
      change: 'split: any buffer that is available counts as more',
      file: SPLIT,
      from: 'return this.availIdx === seen ? 0 : 1\n',
      to: 'return ready === 0 ? 0 : 1\n',
    },
    {
      change: 'packed: any buffer that is available counts as more',
      file: PACKED,
      from: 'const now = this.desc.load16Acquire(PACKED_DESC_BYTES * this.seenSlot + PACKED_DESC_FLAGS_OFFSET)\n',
      to: 'const now = this.desc.load16Acquire(PACKED_DESC_BYTES * this.nextAvail + PACKED_DESC_FLAGS_OFFSET)\n',
    },
  ],
  run() {
    const base = featureSet(VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF)
    for (const features of [base, base | featureSet(VIRTIO_F_EVENT_IDX)]) {
      const q = netQueue(16, features, new HostileCpu())
      const source = new ArraySource()
      source.waiting.push(frame(0, 3000))
      for (let i = 0; i < 4; i++) q.driver.addOne(LOW + 0x10_0000 + 4096 * i, 512, true)
      q.driver.publish()
      const { device: queue, map: buffers, cpu } = q
      const round = new RxRound({ queue, buffers, source, cpu, features })
      assert.equal(round.run(), 0)
      assert.deepEqual([round.end, source.waiting.length], ['no-buffers', 1])
      // It sleeps, and is woken by what the driver adds.
      for (let i = 4; i < 6; i++) q.driver.addOne(LOW + 0x10_0000 + 4096 * i, 512, true)
      q.driver.publish()
      assert.equal(q.driver.needsKick(), true)
      assert.deepEqual([round.run(), source.waiting.length], [1, 0])
    }
    for (const format of ['split', 'packed'] as const)
      for (const way of WAYS) {
        const features = format === 'packed' ? featureSet(VIRTIO_F_RING_PACKED) : featureSet()
        const q = flatQueue({ way, format, features })
        for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 64, true)
        q.driver.publish()
        assert.equal(q.device.popBatch(q.batch, 8), 3)
        q.device.rewind(q.batch, 3)
        assert.equal(q.device.enableNotification(), 0, `${format}, ${way}: buffers that were seen count as more`)
        q.driver.addOne(q.heap, 64, true)
        q.driver.publish()
        assert.equal(q.device.enableNotification(), 1)
      }
  },
}
