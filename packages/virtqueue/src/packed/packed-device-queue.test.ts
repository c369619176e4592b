import {
  featureSet,
  packedRingAreas,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectLatched } from '../../test/expect-latched.ts'
import { type FlatQueue, type FlatQueueOptions, flatQueue, WAYS } from '../../test/flat-queue.ts'
import { WatchingCpu } from '../../test/watching-cpu.ts'
import { writeDescriptor } from '../../test/write-descriptor.ts'
import type { BrokenReason } from '../broken-reason.ts'
import { CHAIN_DESCRIPTORS_MAX, ChainBatch } from '../chain-batch.ts'

const INDIRECT = featureSet(VIRTIO_F_INDIRECT_DESC)
const EVENT_IDX = featureSet(VIRTIO_F_EVENT_IDX)
const AVAILABLE = VIRTQ_DESC_F_AVAIL

/** Writes a descriptor of the first lap as it stands, flags last. */
function descriptor(q: FlatQueue, slot: number, address: number, length: number, flags: number, id = slot): void {
  const { desc } = q.raw
  desc.store32(16 * slot, address >>> 0)
  desc.store32(16 * slot + 4, Math.floor(address / 2 ** 32))
  desc.store32(16 * slot + 8, length)
  desc.store16(16 * slot + 12, id)
  desc.store16Release(16 * slot + 14, flags)
}

const flagsAt = (q: FlatQueue, slot: number): number => q.raw.desc.load16(16 * slot + 14)

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

  it('virtio 1.3 2.8.10 the driver is notified by its flags, and with a descriptor event only by the step over it', () => {
    const q = packed({ features: EVENT_IDX })
    const use = (): boolean => {
      q.driver.addOne(q.heap, 60, false)
      q.driver.publish()
      q.device.popBatch(q.batch, 1)
      q.device.useBatch(q.batch, 1)
      const asked = q.device.needsNotification()
      q.driver.reclaim()
      return asked
    }
    expect(use()).toBe(true)
    q.driver.setNotification(false)
    expect(use()).toBe(false)
    // The event is descriptor 4 of this lap: the fifth use.
    q.raw.driver.store32(0, 4 | (1 << 15) | (RING_EVENT_FLAGS_DESC << 16))
    expect([use(), use(), use(), use()]).toEqual([false, false, true, false])
    // And then descriptor 1 of the next lap.
    q.raw.driver.store32(0, 1 | (RING_EVENT_FLAGS_DESC << 16))
    expect([use(), use(), use(), use()]).toEqual([false, false, false, true])
  })

  it.each([
    ['flags', 0n],
    ['a descriptor event', EVENT_IDX],
  ])(
    'virtio 1.3 2.8.14 kicks are suppressed and asked for again by %s, and nothing is lost between',
    (_name, features) => {
      const q = packed({ features })
      q.device.disableNotification()
      expect(q.raw.device.load16(2)).toBe(RING_EVENT_FLAGS_DISABLE)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      expect(q.driver.needsKick()).toBe(false)
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      expect(q.device.enableNotification()).toBe(1)
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      expect(q.device.enableNotification()).toBe(0)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      expect(q.driver.needsKick()).toBe(true)
    },
  )

  it('what was seen and given back does not count as more', () => {
    const q = packed()
    for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 1, false)
    q.driver.publish()
    expect(q.device.popBatch(q.batch, 64)).toBe(3)
    q.device.rewind(q.batch, 3)
    expect(q.device.enableNotification()).toBe(0)
    expect(q.device.popBatch(q.batch, 64)).toBe(3)
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

  type Attack = readonly [title: string, reason: BrokenReason, arrange: (q: FlatQueue) => void]
  const attacks: readonly Attack[] = [
    ['an id out of range', 'id-out-of-range', (q) => descriptor(q, 0, q.heap, 60, AVAILABLE, 8)],
    [
      'a chain of all descriptors without end',
      'chain-too-long',
      (q) => {
        for (let slot = 0; slot < 8; slot++) descriptor(q, slot, q.heap, 1, AVAILABLE | VIRTQ_DESC_F_NEXT)
      },
    ],
    [
      'readable after writable',
      'readable-after-writable',
      (q) => {
        descriptor(q, 1, q.heap, 1, AVAILABLE)
        descriptor(q, 0, q.heap, 1, AVAILABLE | VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT)
      },
    ],
    [
      'INDIRECT with NEXT',
      'indirect-with-next',
      (q) => descriptor(q, 0, q.heap, 16, AVAILABLE | VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_NEXT),
    ],
    [
      'INDIRECT after NEXT',
      'indirect-with-next',
      (q) => {
        descriptor(q, 1, q.heap, 16, AVAILABLE | VIRTQ_DESC_F_INDIRECT)
        descriptor(q, 0, q.heap, 1, AVAILABLE | VIRTQ_DESC_F_NEXT)
      },
    ],
    [
      'an indirect length of 0',
      'indirect-length',
      (q) => descriptor(q, 0, q.heap, 0, AVAILABLE | VIRTQ_DESC_F_INDIRECT),
    ],
    [
      'an indirect length that is no multiple of 16',
      'indirect-length',
      (q) => descriptor(q, 0, q.heap, 24, AVAILABLE | VIRTQ_DESC_F_INDIRECT),
    ],
    [
      'an indirect table of 65537 descriptors',
      'indirect-length',
      (q) => descriptor(q, 0, q.heap, 16 * 65537, AVAILABLE | VIRTQ_DESC_F_INDIRECT),
    ],
    [
      'readable after writable in a table',
      'readable-after-writable',
      (q) => {
        new DataView(q.space.view.buffer).setUint16(q.heap + 14, VIRTQ_DESC_F_WRITE, true)
        descriptor(q, 0, q.heap, 32, AVAILABLE | VIRTQ_DESC_F_INDIRECT)
      },
    ],
    [
      'an indirect table longer than a chain may be',
      'chain-too-long',
      (q) => descriptor(q, 0, q.heap, 16 * (CHAIN_DESCRIPTORS_MAX + 1), AVAILABLE | VIRTQ_DESC_F_INDIRECT),
    ],
    [
      'an indirect table in a hole',
      'indirect-fault',
      (q) => descriptor(q, 0, 2 ** 60, 16, AVAILABLE | VIRTQ_DESC_F_INDIRECT),
    ],
    [
      'ring memory that goes away',
      'metadata-fault',
      (q) => {
        q.space.end = 0x1000
      },
    ],
  ]
  it.each(attacks)('%s breaks the queue and nothing else', (_title, reason, arrange) => {
    const q = packed({ features: INDIRECT })
    arrange(q)
    expectLatched(q, reason)
  })

  it('an indirect table without the feature', () => {
    const q = packed()
    q.driver.addIndirect(q.heap, 1)
    q.driver.publish()
    expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
    expect(q.device.broken).toBe('indirect-not-negotiated')
  })

  it('a driver that makes used descriptors available before they are used gives no more than the ring has', () => {
    const q = packed({ queueSize: 4 })
    for (let slot = 0; slot < 4; slot++) descriptor(q, slot, q.heap, 60, AVAILABLE)
    expect(q.device.popBatch(q.batch, 64)).toBe(4)
    for (let slot = 0; slot < 4; slot++) descriptor(q, slot, q.heap, 60, VIRTQ_DESC_F_USED)
    expect(q.device.enableNotification()).toBe(0)
    expect(q.device.popBatch(q.batch, 64)).toBe(0)
    expect(q.device.useBatch(q.batch, 0)).toBe(0)
  })

  it('a chain may not take entries that are not published yet', () => {
    const q = packed({ queueSize: 4 })
    for (const [slot, more] of [true, false, true, true].entries())
      descriptor(q, slot, q.heap, 60, AVAILABLE | (more ? VIRTQ_DESC_F_NEXT : 0))
    expect(q.device.popBatch(q.batch, 64)).toBe(1)
    expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
    expect(q.device.broken).toBe('chain-too-long')
  })

  it('a batch ends with the last entry of the ring, even if the first is available again by then', () => {
    const cpu = new WatchingCpu()
    const q = packed({ queueSize: 2, cpu })
    descriptor(q, 1, q.heap, 60, AVAILABLE)
    descriptor(q, 0, q.heap, 60, AVAILABLE | VIRTQ_DESC_F_NEXT)
    cpu.onLoad = (_, at) => {
      if (at === q.ring.desc.address + 16) q.raw.desc.store16Release(14, VIRTQ_DESC_F_USED)
    }
    expect(q.device.popBatch(q.batch, 64)).toBe(1)
    expect(q.device.base).toBe(0x8000_0000)
  })

  it('a chain has at most 1024 descriptors, and its table too, however large its ring is', () => {
    const q = packed({ queueSize: 2048 })
    for (let slot = 0; slot < 1025; slot++) descriptor(q, slot, q.heap, 0, AVAILABLE | VIRTQ_DESC_F_NEXT)
    expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
    expect(q.device.broken).toBe('chain-too-long')
  })

  it('a batch ends when enough descriptors were walked, whatever segments they left', () => {
    const q = packed({ queueSize: 64, features: INDIRECT })
    for (let slot = 0; slot < 64; slot++) descriptor(q, slot, q.heap, 16 * 1024, AVAILABLE | VIRTQ_DESC_F_INDIRECT)
    expect(q.device.popBatch(q.batch, 64)).toBe(2)
    expect(q.batch.descriptors).toBe(2 * 1025)
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

  it('virtio 1.3 2.8.10 an event of the lap before is met by a batch that goes over the end of the ring', () => {
    const q = packed({ features: EVENT_IDX })
    for (const count of [6, 4]) {
      q.raw.driver.store32(0, 7 | (1 << 15) | (RING_EVENT_FLAGS_DESC << 16))
      for (let i = 0; i < count; i++) q.driver.addOne(q.heap, 60, false)
      q.driver.publish()
      q.device.popBatch(q.batch, 64)
      q.device.useBatch(q.batch, count)
      q.driver.reclaim()
      expect(q.device.needsNotification()).toBe(count === 4)
    }
  })

  it('virtio 1.3 2.8.10 without EVENT_IDX a descriptor event is neither asked for nor believed', () => {
    const q = packed()
    q.raw.driver.store32(0, 5 | (1 << 15) | (RING_EVENT_FLAGS_DESC << 16))
    q.driver.addOne(q.heap, 60, false)
    q.driver.publish()
    q.device.popBatch(q.batch, 64)
    q.device.useBatch(q.batch, 1)
    expect(q.device.needsNotification()).toBe(true)
    q.device.enableNotification()
    expect(q.raw.device.load16(2)).toBe(0)
  })

  it('any bytes in the ring: bounded work, no throw, no write outside the ring', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), fc.boolean(), (bytes, indirect) => {
        const q = packed({ features: indirect ? INDIRECT : 0n })
        for (let at = 0; at < 128; at++) q.space.view.u8[q.ring.desc.address + at] = bytes[at]!
        // Half of all rings are available, so that chains are walked at all.
        if ((bytes[511]! & 1) === 1)
          for (let slot = 0; slot < 8; slot++) q.raw.desc.store16(16 * slot + 14, AVAILABLE | (bytes[128 + slot]! & 7))
        q.space.view.u8.set(bytes.subarray(150), q.heap)
        const { desc, device } = q.ring
        const outside = (): Buffer =>
          Buffer.concat([
            q.space.view.u8.subarray(0, desc.address),
            q.space.view.u8.subarray(desc.address + desc.length, device.address),
            q.space.view.u8.subarray(device.address + device.length),
          ])
        const before = outside()
        for (let round = 0; round < 4; round++) {
          const popped = q.device.popBatch(q.batch, 64)
          if (popped <= 0) break
          expect(q.batch.descriptors).toBeLessThanOrEqual(q.batch.descriptorLimit + CHAIN_DESCRIPTORS_MAX + 1)
          q.device.useBatch(q.batch, popped)
        }
        expect(outside().equals(before)).toBe(true)
      }),
      { numRuns: 300 },
    )
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

describe('packed areas', () => {
  it('of a size that is 0 or above 32768, misaligned or overlapping are refused; no power of two is asked for', () => {
    expect(packedRingAreas(3, true, 0x1000, 0x2000, 0x2004).desc).toEqual({
      address: 0x1000,
      length: 48,
      access: 'read-write',
    })
    for (const size of [0, 32769, 1.5])
      expect(() => packedRingAreas(size, true, 0x1000, 0x2000, 0x2004)).toThrow('1 to 32768')
    expect(() => packedRingAreas(8, true, 0x1008, 0x2000, 0x2004)).toThrow('a multiple of 16')
    expect(() => packedRingAreas(8, true, 0x1000, 0x2002, 0x2004)).toThrow('a multiple of 4')
    expect(() => packedRingAreas(8, true, 0x1000, 0x1040, 0x2004)).toThrow('outside the desc area')
  })
})
