import {
  featureSet,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { type FlatQueue, type FlatQueueOptions, flatQueue, WAYS } from '../../test/flat-queue.ts'
import { descriptor, flagsAt } from '../../test/packed-raw.ts'
import { writeDescriptor } from '../../test/write-descriptor.ts'
import { ChainBatch } from '../chain-batch.ts'

const INDIRECT = featureSet(VIRTIO_F_INDIRECT_DESC)
const AVAILABLE = VIRTQ_DESC_F_AVAIL

describe.each(WAYS)('a packed ring by %s', (way) => {
  const packed = (options: FlatQueueOptions = {}): FlatQueue => flatQueue({ way, format: 'packed', ...options })

  it('virtio 1.3 2.8.1 a descriptor is available when AVAIL is the wrap counter and USED its inverse', () => {
    for (const flags of [0, VIRTQ_DESC_F_USED, AVAILABLE | VIRTQ_DESC_F_USED]) {
      const q = packed()
      descriptor(q, 0, q.heap, 60, flags)
      expect(q.device.popBatch(q.batch, 64)).toBe(0)
      descriptor(q, 0, q.heap, 60, AVAILABLE)
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
    }
  })

  it('virtio 1.3 2.8.6 a used descriptor has id, written length and both bits of the wrap counter; WRITE where it was written', () => {
    const q = packed({ queueSize: 3 })
    for (let lap = 0; lap < 3; lap++) {
      for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 60, i === 1)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBe(3)
      for (let chain = 0; chain < 3; chain++) q.device.push(q.batch, chain, chain === 1 ? 33 : 0)
      expect(q.device.flush()).toBe(0)
      const both = lap % 2 === 0 ? AVAILABLE | VIRTQ_DESC_F_USED : 0
      expect([0, 1, 2].map((slot) => flagsAt(q, slot))).toEqual([both, both | VIRTQ_DESC_F_WRITE, both])
      expect(q.raw.desc.load32(16 + 8)).toBe(33)
      expect(q.driver.reclaim()).toBe(3)
    }
  })

  it('virtio 1.3 2.8.7 in an indirect table every flag but WRITE, and the id, mean nothing', () => {
    const q = packed({ features: INDIRECT })
    const ignored = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT | AVAILABLE | VIRTQ_DESC_F_USED
    for (let entry = 0; entry < 2; entry++) {
      const flags = ignored | (entry === 1 ? VIRTQ_DESC_F_WRITE : 0)
      writeDescriptor(q.space.view.buffer, q.heap + 16 * entry, [q.heap + 0x1000, 10 + entry, 0xffff, flags])
    }
    descriptor(q, 0, q.heap, 32, AVAILABLE | VIRTQ_DESC_F_INDIRECT, 5)
    expect(q.device.popBatch(q.batch, 64)).toBe(1)
    expect([q.batch.idOf(0), q.batch.segStart[1], q.batch.writeStart[0]]).toEqual([5, 2, 1])
  })

  it('virtio 1.3 2.8.9 in order, one used descriptor stands for a batch that was only read', () => {
    const q = packed({ features: featureSet(VIRTIO_F_IN_ORDER) })
    for (let i = 0; i < 5; i++) q.driver.addOne(q.heap, 60, false)
    q.driver.publish()
    expect(q.device.popBatch(q.batch, 64)).toBe(5)
    expect(q.device.useBatch(q.batch, 5)).toBe(0)
    expect(flagsAt(q, 0)).toBe(AVAILABLE | VIRTQ_DESC_F_USED)
    expect([1, 2, 3, 4].map((slot) => flagsAt(q, slot))).toEqual(Array(4).fill(AVAILABLE))
    expect(q.driver.reclaim()).toBe(5)
    const written = new ChainBatch(8, 'writable')
    for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 60, true)
    q.driver.publish()
    expect(q.device.popBatch(written, 64)).toBe(3)
    for (let chain = 0; chain < 3; chain++) q.device.push(written, chain, 10)
    expect(q.device.flush()).toBe(0)
    expect([5, 6, 7].map((slot) => flagsAt(q, slot))).toEqual(
      Array(3).fill(AVAILABLE | VIRTQ_DESC_F_USED | VIRTQ_DESC_F_WRITE),
    )
  })

  it('a base of 32 bits has both positions; one of 16 stands for both, and a slot beyond the ring is refused', () => {
    const q = packed({ queueSize: 5 })
    expect(q.device.base).toBe(0x8000_8000)
    q.driver.addOne(q.heap, 60, false)
    q.driver.publish()
    expect(q.device.popBatch(q.batch, 64)).toBe(1)
    expect(q.device.base).toBe(0x8000_8001)
    q.device.resume()
    expect(q.device.base).toBe(0x8000_8000)
    expect(q.device.start(0x8003)).toBe(0)
    expect(q.device.base).toBe(0x8003_8003)
    // Entries that stay in flight: the avail position is so many after the used one, in the next lap if need be.
    q.device.resume(1)
    expect(q.device.base).toBe(0x8003_8004)
    q.device.resume(4)
    expect(q.device.base).toBe(0x8003_0002)
    q.device.resume(5)
    expect(q.device.base).toBe(0x8003_0003)
    expect(q.device.popBatch(q.batch, 64)).toBe(0)
    for (const bad of [5, 0x8005, 0x8005_8000, 0x8001_8000]) expect(q.device.start(bad)).toBeLessThan(0)
  })

  it('virtio 1.3 2.8.6 a chain has the buffer id of its last descriptor', () => {
    const q = packed()
    descriptor(q, 1, q.heap, 60, AVAILABLE, 5)
    descriptor(q, 0, q.heap, 60, AVAILABLE | VIRTQ_DESC_F_NEXT, 3)
    expect(q.device.popBatch(q.batch, 64)).toBe(1)
    expect(q.batch.idOf(0)).toBe(5)
  })

  it('chains and batches go over the end of the ring, are given back over it, and are used over it', () => {
    const q = packed({ queueSize: 5 })
    const add = (count: number): void => {
      for (let i = 0; i < count; i++) q.driver.addOne(q.heap, 10 + i, false)
      q.driver.publish()
    }
    add(3)
    expect(q.device.popBatch(q.batch, 64)).toBe(3)
    expect(q.device.useBatch(q.batch, 3)).toBe(0)
    expect(q.driver.reclaim()).toBe(3)
    q.driver.add([0, 1, 2].map((part) => ({ address: q.heap, length: 20 + part })))
    add(2)
    expect(q.device.popBatch(q.batch, 64)).toBe(3)
    q.device.rewind(q.batch, 3)
    expect(q.device.base).toBe(0x8003_8003)
    for (const base of [0x8003_8003, 0x8003_0001]) {
      expect(q.device.popBatch(q.batch, base === 0x8003_8003 ? 64 : 2)).toBe(base === 0x8003_8003 ? 3 : 2)
      expect([...q.batch.length.subarray(0, 3)]).toEqual(base === 0x8003_8003 ? [20, 21, 22] : [10, 11, 22])
      if (base === 0x8003_8003) q.device.rewind(q.batch, 2)
    }
    q.device.rewind(q.batch, 2)
    expect(q.device.base).toBe(0x8003_0001)
    expect(q.device.popBatch(q.batch, 64)).toBe(2)
    q.device.rewind(q.batch, 2)
    q.device.resume()
    expect(q.device.base).toBe(0x8003_8003)
    expect(q.device.popBatch(q.batch, 64)).toBe(3)
    expect(q.device.useBatch(q.batch, 3)).toBe(0)
    expect([3, 1, 2].map((slot) => flagsAt(q, slot))).toEqual([AVAILABLE | VIRTQ_DESC_F_USED, 0, 0])
    expect(q.driver.reclaim()).toBe(3)
    expect(q.device.base).toBe(0x0003_0003)
  })

  it('every write of the ring is in the migration log, found by area', () => {
    const written: [string, number, number][] = []
    const q = packed({
      queueSize: 4,
      device: { log: { write: (area, offset, length) => void written.push([area, offset, length]) } },
    })
    for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 10, false)
    q.driver.publish()
    q.device.popBatch(q.batch, 64)
    q.device.useBatch(q.batch, 3)
    q.driver.reclaim()
    for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 10, false)
    q.driver.publish()
    q.device.popBatch(q.batch, 64)
    q.device.useBatch(q.batch, 3)
    q.device.disableNotification()
    expect(written).toEqual([
      ['desc', 0, 48],
      ['desc', 48, 16],
      ['desc', 0, 32],
      ['device', 2, 2],
    ])
  })
})
