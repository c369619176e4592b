import { plainCpu } from '@vring/accessor'
import {
  featureSet,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { type FlatQueue, type FlatQueueOptions, flatQueue as makeQueue, WAYS } from '../../test/flat-queue.ts'
import { descriptor, expose, table } from '../../test/split-raw.ts'
import type { DescriptorWords } from '../../test/write-descriptor.ts'
import { createDeviceQueue } from '../create-queue.ts'

const INDIRECT = featureSet(VIRTIO_F_INDIRECT_DESC)

describe.each(WAYS)('a split ring by %s', (way) => {
  const flatQueue = (options: FlatQueueOptions = {}): FlatQueue => makeQueue({ way, ...options })

  describe('chains', () => {
    it('virtio 1.3 2.7.5 a descriptor gives its address, length and direction', () => {
      const q = flatQueue()
      q.driver.addOne(q.heap, 100, false)
      q.driver.addOne(0xf_ffff_f000, 200, true)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBe(2)
      expect([q.batch.idOf(0), q.batch.idOf(1)]).toEqual([0, 1])
      expect([...q.batch.address.subarray(0, 2)]).toEqual([q.heap, 0xf_ffff_f000])
      expect([...q.batch.length.subarray(0, 2)]).toEqual([100, 200])
      expect([...q.batch.segStart.subarray(0, 3)]).toEqual([0, 1, 2])
      expect([...q.batch.writeStart.subarray(0, 2)]).toEqual([1, 1])
    })

    it('virtio 1.3 2.7.4.2 a chain is readable segments, then writable ones', () => {
      const q = flatQueue()
      q.driver.add([
        { address: q.heap, length: 12 },
        { address: q.heap + 100, length: 60 },
        { address: q.heap + 200, length: 1500, writable: true },
      ])
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      expect(q.batch.segStart[1]).toBe(3)
      expect(q.batch.writeStart[0]).toBe(2)
    })

    it('zero-length descriptors leave no segment (CVE-2019-14835, CVE-2016-6490)', () => {
      const q = flatQueue()
      q.driver.add([
        { address: q.heap, length: 0, writable: true },
        { address: q.heap, length: 0, writable: true },
      ])
      q.driver.addOne(q.heap, 0, false)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBe(2)
      expect([...q.batch.segStart.subarray(0, 3)]).toEqual([0, 0, 0])
      expect([...q.batch.writeStart.subarray(0, 2)]).toEqual([0, 0])
    })

    it('virtio 1.3 2.7.5.3.2 plain descriptors may be followed by one indirect descriptor', () => {
      const q = flatQueue({ queueSize: 8, features: INDIRECT })
      table(q, q.heap, [
        [q.heap + 0x1000, 10, VIRTQ_DESC_F_NEXT, 1],
        [q.heap + 0x2000, 20, VIRTQ_DESC_F_WRITE, 0],
      ])
      descriptor(q, 0, q.heap + 0x3000, 12, VIRTQ_DESC_F_NEXT, 1)
      // The device ignores the write flag of a descriptor that names a table (2.7.5.3.2).
      descriptor(q, 1, q.heap, 32, VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_WRITE)
      expose(q, 0)
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      expect([...q.batch.length.subarray(0, 3)]).toEqual([12, 10, 20])
      expect(q.batch.writeStart[0]).toBe(2)
    })

    it('an indirect table may have any alignment', () => {
      for (const shift of [1, 2, 3, 7, 12]) {
        const q = flatQueue({ queueSize: 8, features: INDIRECT })
        table(q, q.heap + shift, [[q.heap + 0x1000, 64, 0, 0]])
        q.driver.addIndirect(q.heap + shift, 1)
        q.driver.publish()
        expect(q.device.popBatch(q.batch, 64)).toBe(1)
        expect(q.batch.address[0]).toBe(q.heap + 0x1000)
        expect(q.batch.length[0]).toBe(64)
      }
    })

    it('a batch stops before its columns are full and goes on with the next one', () => {
      const q = flatQueue({ queueSize: 128, features: INDIRECT })
      const entries = Array.from(
        { length: 60 },
        (_, i): DescriptorWords => [q.heap, 1, i < 59 ? VIRTQ_DESC_F_NEXT : 0, i + 1],
      )
      table(q, q.heap, entries)
      for (let i = 0; i < 100; i++) q.driver.addIndirect(q.heap, 60)
      q.driver.publish()
      let chains = 0
      for (let popped = 1; popped > 0; chains += popped) {
        popped = q.device.popBatch(q.batch, 64)
        expect(popped).toBeGreaterThanOrEqual(0)
        expect(q.batch.segStart[popped]!).toBe(60 * popped)
      }
      expect(chains).toBe(100)
      expect(q.device.broken).toBeNull()
    })

    it('chains that the device has not given back count: no more can be used than the ring holds', () => {
      const q = flatQueue({ queueSize: 8, features: 0n, start: 4 })
      for (let i = 0; i < 8; i++) q.driver.addOne(q.heap, 64, false)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 5)).toBe(5)
      q.device.rewind(q.batch, 2)
      // One entry is made available again before its chain is used: three are in flight and six wait.
      q.raw.driver.store16Release(2, 13)
      expect(q.device.popBatch(q.batch, 8)).toBeLessThan(0)
      expect(q.device.broken).toBe('avail-idx-jump')
    })

    it('rewind gives the last chains back', () => {
      const q = flatQueue({ queueSize: 8, features: 0n, start: 0xfffe })
      for (let i = 0; i < 4; i++) q.driver.addOne(q.heap, 10 + i, false)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBe(4)
      q.device.rewind(q.batch, 3)
      expect(q.device.base).toBe(0xffff)
      expect(q.device.popBatch(q.batch, 64)).toBe(3)
      expect(q.batch.length[0]).toBe(11)
    })
  })

  describe('used ring', () => {
    it('virtio 1.3 2.7.8.2 elements come before the index, wrap included', () => {
      const q = flatQueue({ queueSize: 8, features: 0n, start: 0xfffe })
      for (let i = 0; i < 6; i++) q.driver.addOne(q.heap, 10, true)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBe(6)
      for (let i = 0; i < 6; i++) q.device.push(q.batch, i, 100 + i)
      expect(q.driver.getUsed()).toBe(false)
      expect(q.device.flush()).toBe(0)
      expect(q.raw.device.load16(2)).toBe(4)
      for (let i = 0; i < 6; i++) {
        expect(q.driver.getUsed()).toBe(true)
        expect([q.driver.usedId, q.driver.usedLength]).toEqual([i, 100 + i])
      }
      expect(q.driver.freeCount).toBe(8)
    })

    it('the used index of a ring that is taken over is read from it', () => {
      const q = flatQueue()
      q.raw.device.store16(2, 77)
      expect(q.device.start(80)).toBe(0)
      expect(q.device.base).toBe(80)
      q.device.resume()
      expect(q.device.base).toBe(77)
      q.device.resume(5)
      expect(q.device.base).toBe(82)
    })

    it('another accessor goes on with another queue, from the base of the one before', () => {
      const q = flatQueue()
      let device = q.device
      for (let round = 0; round < 20; round++) {
        q.driver.addOne(q.heap, 1 + round, false)
        q.driver.publish()
        expect(device.popBatch(q.batch, 64)).toBe(1)
        expect(q.batch.length[0]).toBe(1 + round)
        device.useBatch(q.batch, 1)
        const { base } = device
        device = createDeviceQueue({
          accessor: q.accessor(),
          cpu: plainCpu,
          ring: q.ring,
          features: 0n,
          buffers: q.space,
        })
        expect(device.start(base)).toBe(0)
        expect(q.driver.reclaim()).toBe(1)
      }
    })

    it('every write of the ring is in the migration log: elements, index, flags', () => {
      const q = flatQueue()
      const written: [string, number, number][] = []
      const logged = createDeviceQueue({
        accessor: q.accessor(),
        cpu: plainCpu,
        ring: q.ring,
        features: 0n,
        buffers: q.space,
        log: { write: (area, offset, length) => void written.push([area, offset, length]) },
      })
      logged.start(0)
      for (let i = 0; i < 2; i++) q.driver.addOne(q.heap, 10, false)
      q.driver.publish()
      logged.popBatch(q.batch, 64)
      logged.useBatch(q.batch, 2)
      logged.disableNotification()
      expect(written).toEqual([
        ['device', 4, 16],
        ['device', 2, 2],
        ['device', 0, 2],
      ])
    })

    it('elements over the end of the ring are two pieces in the migration log', () => {
      const written: [string, number, number][] = []
      const q = flatQueue({
        queueSize: 4,
        start: 3,
        device: { log: { write: (area, offset, length) => void written.push([area, offset, length]) } },
      })
      for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 10, false)
      q.driver.publish()
      q.device.popBatch(q.batch, 64)
      expect(q.device.useBatch(q.batch, 3)).toBe(0)
      expect(written).toEqual([
        ['device', 4 + 8 * 3, 8],
        ['device', 4, 16],
        ['device', 2, 2],
      ])
    })
  })
})
