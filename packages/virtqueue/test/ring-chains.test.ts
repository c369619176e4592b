import { AREAS, EXDEV, featureSet, VIRTIO_F_IN_ORDER, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from '@vring/layout'
import type { AddressMap, MemoryView } from '@vring/memory'
import { describe, expect, it } from 'vitest'
import { ChainBatch } from '../src/index.ts'
import { type FlatQueueOptions, FlatSpace, WAYS } from './flat-queue.ts'
import { addTable, FORMATS, type WatchedQueue, watchedQueue } from './watched-queue.ts'

/** A space in two regions: what crosses their border is resolved piece by piece. */
class TwoRegions implements AddressMap {
  span = 0
  private space: FlatSpace = new FlatSpace()
  private border = 0

  follow(space: FlatSpace, border: number): void {
    this.space = space
    this.border = border
  }

  get view(): MemoryView {
    return this.space.view
  }

  resolve(address: number, length: number): number {
    return address < this.border && address + length > this.border ? EXDEV : this.space.resolve(address, length)
  }

  resolveSpan(address: number, length: number): number {
    this.span = address < this.border ? Math.min(length, this.border - address) : length
    return this.space.resolve(address, this.span)
  }
}

describe.each(FORMATS)('%s', (format) => {
  describe.each(WAYS)('by %s', (way) => {
    const queue = (options: FlatQueueOptions = {}): WatchedQueue =>
      watchedQueue({ way, format, queueSize: 16, ...options })
    const split = format === 'split'

    it.each([0, 1, 3, 5])('a chain after %i others is met as it is, whichever loop meets it', (before) => {
      const q = queue()
      for (let i = 0; i < before; i++) q.driver.addOne(q.heap, 10 + i, false)
      q.driver.addOne(q.heap, 0, false)
      q.driver.addOne(q.heap, 20, false)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBe(before + 2)
      const starts = Array.from({ length: before + 1 }, (_, chain) => chain)
      expect([...q.batch.segStart.subarray(0, before + 3)]).toEqual([...starts, before, before + 1])
      expect([...q.batch.length.subarray(0, before + 1)]).toEqual([...starts.slice(0, -1).map((i) => 10 + i), 20])
    })

    it('a batch of readable chains takes writable ones as what they are', () => {
      const q = queue()
      q.driver.addOne(q.heap, 10, true)
      q.driver.addOne(q.heap, 11, false)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBe(2)
      expect([...q.batch.writeStart.subarray(0, 2)]).toEqual([0, 2])
    })

    it('a mispredicted bound check leads to no load outside the ring', () => {
      for (const bad of [16, 0x7ff7, 0xfff7]) {
        const q = queue()
        q.driver.addOne(q.heap, 60, false)
        q.driver.add([0, 1].map((part) => ({ address: q.heap + 0x100 * part, length: 10 })))
        q.driver.publish()
        if (split) {
          q.raw.driver.store16(4, bad)
          q.raw.desc.store16(16 + 14, bad)
        } else q.raw.desc.store16(12, bad)
        q.cpu.reset()
        q.cpu.mispredicts = true
        q.device.popBatch(q.batch, 64)
        const loads = q.cpu.accesses.filter(({ step }) => step === 'load')
        const { address, length } = q.ring.desc
        const strayed = loads.filter(
          ({ at }) => at >= address + length && !AREAS.some((area) => at - q.ring[area].address < q.ring[area].length),
        )
        expect(strayed.filter(({ at }) => at < q.heap || at >= q.heap + 0x10000)).toEqual([])
        expect(loads.length).toBeGreaterThan(3)
      }
    })

    it('a batch takes no more than its columns hold', () => {
      const q = queue()
      for (let i = 0; i < 12; i++) q.driver.addOne(q.heap, 10 + i, false)
      q.driver.publish()
      const batch = new ChainBatch(5)
      for (const taken of [5, 5, 2]) expect(q.device.popBatch(batch, 64)).toBe(taken)
    })

    it('in order, every buffer that the device may have written has a used element of its own', () => {
      const q = queue({ features: featureSet(VIRTIO_F_IN_ORDER) })
      const batch = new ChainBatch(8, 'writable')
      for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 60, true)
      q.driver.publish()
      expect(q.device.popBatch(batch, 64)).toBe(3)
      expect(q.device.useBatch(batch, 3)).toBe(0)
      const both = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED
      if (split) expect([0, 1, 2].map((slot) => q.raw.device.load32(4 + 8 * slot))).toEqual([0, 1, 2])
      else expect([0, 1, 2].map((slot) => q.raw.desc.load16(16 * slot + 14))).toEqual([both, both, both])
    })

    it('a batch counts every descriptor that was walked for it, and the next begins at zero', () => {
      const q = queue()
      q.driver.addOne(q.heap, 60, false)
      q.driver.add([0, 1].map((part) => ({ address: q.heap + 0x100 * part, length: 10 })))
      q.driver.addOne(q.heap, 60, false)
      addTable(q, q.heap + 0x2000, 3)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBe(4)
      expect([q.batch.descriptors, q.batch.uniform]).toEqual([1 + 2 + 1 + (1 + 3), false])
      expect(q.device.useBatch(q.batch, 4)).toBe(0)
      for (let i = 0; i < 4; i++) q.driver.addOne(q.heap, 20 + i, false)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBe(4)
      expect([...q.batch.segStart.subarray(0, 5)]).toEqual([0, 1, 2, 3, 4])
    })

    it('user pages are open while a table is read, and only then', () => {
      const q = queue()
      addTable(q, q.heap + 0x2000, 3)
      q.driver.publish()
      let open = 0
      q.cpu.onLoad = (_, at) => {
        if (at >= q.heap) open += q.cpu.ac ? 1 : -1
      }
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      expect([open, q.cpu.ac]).toEqual([3, false])
    })

    it('a table may cross regions, at any byte', () => {
      for (const cut of [16, 17, 24, 31]) {
        const regions = new TwoRegions()
        const q = queue({ device: { buffers: regions } })
        regions.follow(q.space, q.heap + 0x2000 + cut)
        addTable(q, q.heap + 0x2000, 3)
        q.driver.publish()
        expect(q.device.popBatch(q.batch, 64)).toBe(1)
        expect([...q.batch.length.subarray(0, 3)]).toEqual([100, 101, 102])
      }
    })
  })
})
