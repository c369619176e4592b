import assert from 'node:assert/strict'
import { featureSet, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { type FrameBatch, type NetBackend, TxRound } from '@vring/vhost-net'
import { frame, LOW, netQueue } from '../../packages/vhost-net/test/net-queue.ts'
import type { Fault } from '../fault.ts'

const ROUND = 'packages/vhost-net/src/tx-round.ts'

export const fault: Fault = {
  id: 'CVE-2026-74310',
  system: 'Linux vhost_net, zero-copy transmit',
  fault: 'buffers that are still being sent outlive what they belong to',
  here: ROUND,
  holds:
    'frames are read in place until flush returns, the driver gets its buffers back after that, and no round keeps its memory',
  notHere: null,
  explored: 'frames are read in place by the thread of the round, and mappings end between two rounds',
  mutants: [
    {
      change: 'the batch is not flushed before it is published',
      file: ROUND,
      from: '    if (!this.full) this.handOver(next)\n    this.backend.flush()\n',
      to: '    if (!this.full) this.handOver(next)\n',
    },
    {
      change: 'what a backend had no room for is published too',
      file: ROUND,
      from: 'this.taken = this.full ? this.taken + accepted : upTo\n',
      to: 'this.taken = upTo\n',
    },
    {
      change: 'a round that ended keeps the memory that it looked at',
      file: ROUND,
      from: '    frames.view = bounce\n  }\n\n  protected batches',
      to: '  }\n\n  protected batches',
    },
  ],
  run() {
    const heap = LOW + 0x10_0000
    const features = featureSet(VIRTIO_F_VERSION_1)
    const q = netQueue(64, features)
    const sent: string[] = []
    let batch: FrameBatch | null = null
    let taken: [from: number, length: number][] = []
    let room = 10
    // Reads at the last moment that it may: in flush. A driver that polls finds no chain used before.
    const backend: NetBackend = {
      name: 'late',
      counters: { txFrames: 0, txBytes: 0, txDropped: {} },
      transmit(frames) {
        batch = frames
        const count = Math.min(frames.count, room)
        room -= count
        for (let i = 0; i < count; i++) taken.push([frames.offset[i]!, frames.length[i]!])
        return count
      },
      flush() {
        reclaimed(q.driver.reclaim())
        for (const [from, length] of taken)
          sent.push(Buffer.from(batch!.view.u8.subarray(from, from + length)).toString('latin1'))
        taken = []
      },
      close() {},
    }
    let back = 0
    const reclaimed = (count: number): void => {
      back += count
      assert.equal(back, sent.length, 'chains that the driver has back, and frames that were read')
      // What is back is the driver's: it writes over it.
      for (let i = back - count; i < back; i++) q.write(heap + 4096 * i, 'z'.repeat(76))
    }
    const frames = Array.from({ length: 24 }, (_, i) => frame(i, 64))
    for (const [i, data] of frames.entries()) {
      q.write(heap + 4096 * i, data)
      q.driver.addOne(heap + 4096 * i, data.length, false)
    }
    q.driver.publish()
    const { device: queue, map: buffers, cpu } = q
    const round = new TxRound({ queue, buffers, backend, cpu, features })
    for (let i = 0; i < 5; i++) {
      round.run()
      reclaimed(q.driver.reclaim())
      assert.ok(batch!.view.u8.length < 0x40_0000, 'a round that ended keeps the memory of its driver')
      room = 10
    }
    assert.deepEqual(sent, frames)
  },
}
