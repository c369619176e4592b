import assert from 'node:assert/strict'
import { featureSet, VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF } from '@vring/layout'
import { RxRound } from '@vring/vhost-net'
import { ArraySource, frame, LOW, netQueue } from '../../packages/vhost-net/test/net-queue.ts'
import type { Fault } from '../fault.ts'

const ROUND = 'packages/vhost-net/src/rx-round.ts'

export const fault: Fault = {
  id: 'CVE-2026-86566',
  system: 'DPDK vhost',
  fault: 'receive descriptors that are shorter than the header make the length of a copy negative',
  here: ROUND,
  holds: 'a receive chain that is shorter than the header breaks the queue, and nothing is written',
  notHere: null,
  explored: 'the chain is short when it is made available',
  mutants: [
    {
      change: 'no chain is too short for the header',
      file: ROUND,
      from: 'if (count === 0 && room < this.headerBytes) return SHORT\n',
      to: '\n',
    },
  ],
  run() {
    const heap = LOW + 0x10_0000
    for (const features of [featureSet(VIRTIO_F_VERSION_1), featureSet(VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF)])
      for (const room of [1, 10, 11]) {
        const q = netQueue(16, features)
        const source = new ArraySource()
        source.waiting.push(frame(0, 64))
        q.write(heap, 'x'.repeat(4096))
        for (let i = 0; i < 8; i++) q.driver.addOne(heap + 256 * i, room, true)
        q.driver.publish()
        const { device: queue, map: buffers, cpu } = q
        const round = new RxRound({ queue, buffers, source, cpu, features })
        assert.equal(round.run(), 0)
        assert.deepEqual([round.end, queue.broken], ['broken', 'shorter-than-header'])
        assert.equal(q.read(heap, 4096), 'x'.repeat(4096))
      }
  },
}
