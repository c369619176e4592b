import assert from 'node:assert/strict'
import { featureSet, VIRTIO_F_IN_ORDER, VIRTIO_F_RING_PACKED } from '@vring/layout'
import type { Fault } from '../fault.ts'
import { changed, type FlatQueue, flatQueue, WAYS } from '../rings.ts'

const SPLIT = 'packages/virtqueue/src/split/split-device-queue.ts'
const PACKED = 'packages/virtqueue/src/packed/packed-publisher.ts'
const RING = 32
const BATCH = 64

export const fault: Fault = {
  id: 'CVE-2026-99686',
  system: 'Linux vhost, in order',
  fault: 'a batch larger than the ring wraps the used index past the ring, and so does what is put into the dirty log',
  here: SPLIT,
  holds: 'a batch of 64 over a ring of 32 stores and logs inside its area: what changed is logged, and nothing else',
  notHere: null,
  explored: 'the driver publishes, then the device does',
  mutants: [
    {
      change: 'chains that the device has not given back do not count',
      file: SPLIT,
      from: 'if (ready + this.inFlight > this.queueSize)',
      to: 'if (ready > this.queueSize)',
    },
    {
      change: 'split: used elements are stored in one piece',
      file: SPLIT,
      from: 'const first = stored < toEnd ? stored | 0 : toEnd\n',
      to: 'const first = stored | 0\n',
    },
    {
      change: 'split: the log is told of an element for each chain',
      file: SPLIT,
      from: 'publisher.logTo(this.log, slot, first, stored)\n',
      to: 'publisher.logTo(this.log, slot, first, count)\n',
    },
    {
      change: 'packed: the log is told of one piece',
      file: PACKED,
      from: 'const toEnd = Math.min(entries, this.queueSize - this.slot)\n',
      to: 'const toEnd = entries\n',
    },
  ],
  run() {
    for (const way of WAYS)
      for (const format of ['split', 'packed'] as const)
        for (const inOrder of [false, true])
          for (const lead of [0, 5, 31]) {
            const bits = [
              ...(inOrder ? [VIRTIO_F_IN_ORDER] : []),
              ...(format === 'packed' ? [VIRTIO_F_RING_PACKED] : []),
            ]
            const logged: number[] = []
            const options = { way, format, queueSize: RING, features: featureSet(...bits) }
            const log = {
              write: (area: 'desc' | 'driver' | 'device', offset: number, length: number): void => {
                assert.ok(length <= q.ring[area].length - offset, `${length} bytes at ${offset} of ${area} are logged`)
                for (let i = 0; i < length; i++) logged.push(q.ring[area].address + offset + i)
              },
            }
            const q = flatQueue({ ...options, device: { log } })
            lap(q, lead, logged)
            lap(q, RING, logged)
          }
    for (const way of WAYS) hostile(way)
  },
}

/** Uses `count` chains at once: no byte changes that is not logged, and none is logged that no store was for. */
function lap(q: FlatQueue, count: number, logged: number[]): void {
  for (let i = 0; i < count; i++) assert.ok(q.driver.addOne(q.heap + 64 * i, 64 + i, false) >= 0)
  q.driver.publish()
  const popped = q.device.popBatch(q.batch, BATCH)
  assert.equal(popped, count)
  const before = q.space.view.u8.slice()
  logged.length = 0
  assert.equal(q.device.useBatch(q.batch, popped), 0)
  const noted = new Set(logged)
  for (const at of changed(q, before)) assert.ok(noted.has(at), `a store at 0x${at.toString(16)} is not logged`)
  // A store may leave a byte what it was. Elements of 8 bytes, descriptors of 16, one index.
  assert.ok(logged.length <= (q.ring.format === 'packed' ? 16 : 8) * q.ring.queueSize + 2)
  assert.equal(logged.length, noted.size, 'a byte is logged twice')
  for (let i = 0; i < count; i++) assert.ok(q.driver.getUsed(), 'every chain comes back')
  assert.equal(q.driver.getUsed(), false)
}

/** A driver that makes the whole ring available again before the device has used it. */
function hostile(way: 'windows' | 'lease'): void {
  const q = flatQueue({ way, queueSize: RING, start: 7 })
  const { device } = q.ring
  for (let i = 0; i < RING; i++) q.driver.addOne(q.heap, 64, true)
  q.driver.publish()
  const end = device.address + device.length
  q.space.view.u8.fill(0xa5, end, end + 4096)
  const open = q.device.popBatch(q.batch, BATCH)
  q.raw.driver.store16Release(2, q.device.base + RING)
  const more = q.device.popBatch(q.batch, BATCH)
  for (let i = 0; i < open + Math.max(more, 0); i++) q.device.push(q.batch, i % RING, 1)
  q.device.flush()
  assert.ok(
    q.space.view.u8.subarray(end, end + 4096).every((byte) => byte === 0xa5),
    'a store past the used ring',
  )
  assert.deepEqual([more < 0, q.device.broken], [true, 'avail-idx-jump'])
}
