import { plainCpu } from '@vring/accessor'
import {
  featureSet,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_NOTIFY_ON_EMPTY,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FlatQueue, type FlatQueueOptions, flatQueue as makeQueue, WAYS } from '../../test/flat-queue.ts'
import { type DescriptorWords, writeDescriptor } from '../../test/write-descriptor.ts'
import { CHAIN_DESCRIPTORS_MAX } from '../chain-batch.ts'
import { createDeviceQueue } from '../create-queue.ts'

const INDIRECT = featureSet(VIRTIO_F_INDIRECT_DESC)

function descriptor(q: FlatQueue, index: number, address: number, length: number, flags: number, next = 0): void {
  const { desc } = q.raw
  desc.store32(16 * index, address >>> 0)
  desc.store32(16 * index + 4, Math.floor(address / 2 ** 32))
  desc.store32(16 * index + 8, length)
  desc.store32(16 * index + 12, (flags | (next << 16)) >>> 0)
}

/** Writes an indirect table at `at`. */
function table({ space }: FlatQueue, at: number, entries: readonly DescriptorWords[]): void {
  for (const [i, words] of entries.entries()) writeDescriptor(space.view.buffer, at + 16 * i, words)
}

function expose(q: FlatQueue, ...heads: number[]): void {
  heads.forEach((head, i) => {
    q.raw.driver.store16(4 + 2 * ((q.device.base + i) % q.ring.queueSize), head)
  })
  q.raw.driver.store16Release(2, (q.device.base + heads.length) & 0xffff)
}

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

  describe('a hostile driver breaks its queue and nothing else', () => {
    type Attack = readonly [title: string, reason: string, arrange: (q: FlatQueue) => void]
    const attacks: readonly Attack[] = [
      ['avail.idx ahead by more than the queue size', 'avail-idx-jump', (q) => q.raw.driver.store16(2, 9)],
      ['avail.idx moved backwards', 'avail-idx-jump', (q) => q.raw.driver.store16(2, 0xffff)],
      [
        'a head out of range',
        'head-out-of-range',
        (q) => {
          descriptor(q, 0, q.heap, 60, 0)
          expose(q, 8)
        },
      ],
      [
        'next out of range',
        'next-out-of-range',
        (q) => {
          descriptor(q, 0, q.heap, 1, VIRTQ_DESC_F_NEXT, 8)
          expose(q, 0)
        },
      ],
      [
        'a descriptor that follows itself',
        'chain-too-long',
        (q) => {
          descriptor(q, 0, q.heap, 1, VIRTQ_DESC_F_NEXT, 0)
          expose(q, 0)
        },
      ],
      [
        'a loop of zero-length descriptors',
        'chain-too-long',
        (q) => {
          descriptor(q, 0, q.heap, 0, VIRTQ_DESC_F_NEXT, 1)
          descriptor(q, 1, q.heap, 0, VIRTQ_DESC_F_NEXT, 0)
          expose(q, 0)
        },
      ],
      [
        'readable after writable',
        'readable-after-writable',
        (q) => {
          descriptor(q, 0, q.heap, 1, VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT, 1)
          descriptor(q, 1, q.heap, 1, 0)
          expose(q, 0)
        },
      ],
      [
        'a nested indirect table',
        'indirect-nested',
        (q) => {
          table(q, q.heap, [[q.heap, 16, VIRTQ_DESC_F_INDIRECT, 0]])
          q.driver.addIndirect(q.heap, 1)
          q.driver.publish()
        },
      ],
      [
        'an indirect length that is no multiple of 16',
        'indirect-length',
        (q) => {
          descriptor(q, 0, q.heap, 17, VIRTQ_DESC_F_INDIRECT)
          expose(q, 0)
        },
      ],
      [
        'an empty indirect table',
        'indirect-length',
        (q) => {
          descriptor(q, 0, q.heap, 0, VIRTQ_DESC_F_INDIRECT)
          expose(q, 0)
        },
      ],
      [
        'an indirect table of 65537 descriptors',
        'indirect-length',
        (q) => {
          descriptor(q, 0, q.heap, 16 * 65537, VIRTQ_DESC_F_INDIRECT)
          expose(q, 0)
        },
      ],
      [
        'indirect together with next',
        'indirect-with-next',
        (q) => {
          descriptor(q, 0, q.heap, 16, VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_NEXT, 1)
          expose(q, 0)
        },
      ],
      [
        'an indirect table in a hole',
        'indirect-fault',
        (q) => {
          descriptor(q, 0, 2 ** 60, 16, VIRTQ_DESC_F_INDIRECT)
          expose(q, 0)
        },
      ],
      [
        'an indirect table whose end is in a hole',
        'indirect-fault',
        (q) => {
          q.space.end = q.heap + 8
          descriptor(q, 0, q.heap, 16, VIRTQ_DESC_F_INDIRECT)
          expose(q, 0)
        },
      ],
      [
        'an indirect next out of the table',
        'next-out-of-range',
        (q) => {
          table(q, q.heap, [[q.heap, 1, VIRTQ_DESC_F_NEXT, 1]])
          q.driver.addIndirect(q.heap, 1)
          q.driver.publish()
        },
      ],
      [
        'an indirect loop',
        'chain-too-long',
        (q) => {
          table(q, q.heap, [
            [q.heap, 0, VIRTQ_DESC_F_NEXT, 1],
            [q.heap, 0, VIRTQ_DESC_F_NEXT, 0],
          ])
          q.driver.addIndirect(q.heap, 2)
          q.driver.publish()
        },
      ],
      [
        'more segments than a chain may have',
        'chain-too-long',
        (q) => {
          const entries = Array.from(
            { length: CHAIN_DESCRIPTORS_MAX + 1 },
            (_, i): DescriptorWords => [q.heap, 1, VIRTQ_DESC_F_NEXT, i + 1],
          )
          table(q, q.heap, entries)
          q.driver.addIndirect(q.heap, entries.length)
          q.driver.publish()
        },
      ],
      [
        'ring memory that goes away',
        'metadata-fault',
        (q) => {
          q.space.end = 0x1000
        },
      ],
    ]

    it.each(attacks)('%s', (_title, reason, arrange) => {
      const q = flatQueue({ queueSize: 8, features: INDIRECT })
      arrange(q)
      const before = new Uint8Array(q.space.view.buffer.slice(0))
      expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
      expect(q.device.broken).toBe(reason)
      // Latched: no more chains, no used entries, no notification, no write, whatever the driver does now.
      q.space.end = 1 << 20
      expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
      q.device.push(q.batch, 0, 0)
      expect(q.device.flush()).toBeLessThan(0)
      expect(q.device.needsNotification()).toBe(false)
      expect(q.device.enableNotification()).toBeLessThan(0)
      expect(q.device.hasMore()).toBeLessThan(0)
      q.device.disableNotification()
      expect(Buffer.compare(q.space.view.u8, before)).toBe(0)
    })

    it('a chain has at most 1024 descriptors, those of length zero too, however large its ring is', () => {
      const q = flatQueue({ queueSize: 2048 })
      for (let i = 0; i < 1024; i++) descriptor(q, i, q.heap, 0, i < 1023 ? VIRTQ_DESC_F_NEXT : 0, i + 1)
      for (let i = 1024; i < 2048; i++) descriptor(q, i, q.heap, 0, VIRTQ_DESC_F_NEXT, i < 2047 ? i + 1 : 0)
      expose(q, 0, 1024)
      expect([q.device.popBatch(q.batch, 64), q.batch.segStart[1]]).toEqual([1, 0])
      expect(q.batch.descriptors).toBe(2048)
      expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
      expect(q.device.broken).toBe('chain-too-long')
    })

    it('a batch ends when enough descriptors were walked, whatever segments they left', () => {
      const q = flatQueue({ queueSize: 64, features: INDIRECT })
      const entries = Array.from(
        { length: 1024 },
        (_, i): DescriptorWords => [q.heap, 0, i < 1023 ? VIRTQ_DESC_F_NEXT : 0, i + 1],
      )
      table(q, q.heap, entries)
      descriptor(q, 0, q.heap, 16 * 1024, VIRTQ_DESC_F_INDIRECT)
      expose(q, ...Array.from({ length: 64 }, () => 0))
      expect(q.device.popBatch(q.batch, 64)).toBe(2)
      expect([q.batch.descriptors, q.device.base]).toEqual([2 * 1025, 2])
    })

    it('an indirect table without the feature', () => {
      const q = flatQueue({ queueSize: 8 })
      q.driver.addIndirect(q.heap, 1)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
      expect(q.device.broken).toBe('indirect-not-negotiated')
    })

    it('chains before a bad one are worked off, then the queue breaks', () => {
      const q = flatQueue()
      descriptor(q, 0, q.heap, 60, 0)
      expose(q, 0, 99)
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      expect(q.device.broken).toBeNull()
      expect(q.device.useBatch(q.batch, 1)).toBe(0)
      expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
      expect(q.device.broken).toBe('head-out-of-range')
    })

    it('a bad avail.idx is met again: it is not stored before it is checked', () => {
      const q = flatQueue()
      q.raw.driver.store16(2, 100)
      expect(q.device.enableNotification()).toBeLessThan(0)
      expect(q.device.broken).toBe('avail-idx-jump')
      expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
    })

    it('more chains than the ring has entries, none of them used yet (CVE-2016-5403)', () => {
      const q = flatQueue({ queueSize: 4 })
      for (let head = 0; head < 4; head++) descriptor(q, head, q.heap, 60, 0)
      expose(q, 0, 1, 2, 3)
      expect(q.device.popBatch(q.batch, 64)).toBe(4)
      for (let chain = 0; chain < 4; chain++) q.device.push(q.batch, chain, 0)
      // The driver gives them again before the device has published them.
      q.raw.driver.store16Release(2, 8)
      const before = new Uint8Array(q.space.view.buffer.slice(0))
      expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
      expect(q.device.broken).toBe('avail-idx-jump')
      expect(q.device.flush()).toBeLessThan(0)
      expect(Buffer.compare(q.space.view.u8, before)).toBe(0)
    })

    it('any bytes in the ring: bounded work, no throw, no write outside the used ring', () => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), fc.boolean(), (bytes, indirect) => {
          const q = flatQueue({ queueSize: 8, features: indirect ? INDIRECT : 0n })
          q.space.view.u8.set(bytes.subarray(0, 128), q.ring.desc.address)
          q.space.view.u8.set(bytes.subarray(128, 150), q.ring.driver.address)
          q.space.view.u8.set(bytes.subarray(150), q.heap)
          // Half of all rings get a plausible index, so that chains are walked at all.
          if ((bytes[511]! & 1) === 1) q.raw.driver.store16(2, bytes[510]! & 7)
          const { address, length } = q.ring.device
          const outside = () =>
            Buffer.concat([q.space.view.u8.subarray(0, address), q.space.view.u8.subarray(address + length, 0x2000)])
          const before = outside()
          for (let round = 0; round < 4; round++) {
            const popped = q.device.popBatch(q.batch, 64)
            if (popped <= 0) break
            for (let i = 0; i < popped; i++) {
              expect(q.batch.idOf(i)).toBeLessThan(8)
              expect(q.batch.segStart[i + 1]! - q.batch.segStart[i]!).toBeLessThanOrEqual(CHAIN_DESCRIPTORS_MAX)
            }
            q.device.useBatch(q.batch, popped)
          }
          expect(outside().equals(before)).toBe(true)
        }),
        { numRuns: 500 },
      )
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

  describe('notifications', () => {
    it('virtio 1.3 2.7.7.1 without EVENT_IDX the flag in avail decides', () => {
      const q = flatQueue()
      expect(q.device.needsNotification()).toBe(true)
      q.driver.setNotification(false)
      expect(q.device.needsNotification()).toBe(false)
    })

    it('virtio 1.3 2.7.7.2 with EVENT_IDX only the step over used_event notifies', () => {
      const q = flatQueue({ queueSize: 8, features: featureSet(VIRTIO_F_EVENT_IDX), start: 0xfffc })
      const use = (): boolean => {
        q.driver.addOne(q.heap, 1, false)
        q.driver.publish()
        q.device.popBatch(q.batch, 1)
        q.device.useBatch(q.batch, 1)
        return q.device.needsNotification()
      }
      q.raw.driver.store16(4 + 2 * 8, 0xffff)
      // The first one after a start always notifies (vhost: signalled_used_valid).
      expect([use(), use(), use(), use(), use(), use()]).toEqual([true, false, false, true, false, false])
    })

    it('the driver is notified when 65536 chains were used since it was last asked: its event may lie anywhere', () => {
      const q = flatQueue({ queueSize: 64, features: featureSet(VIRTIO_F_EVENT_IDX) })
      const use = (): void => {
        for (let i = 0; i < 64; i++) q.driver.addOne(q.heap, 60, false)
        q.driver.publish()
        q.device.popBatch(q.batch, 64)
        q.device.useBatch(q.batch, 64)
        q.driver.reclaim()
      }
      use()
      expect(q.device.needsNotification()).toBe(true)
      for (let lap = 0; lap < 1024; lap++) use()
      q.raw.driver.store16(4 + 2 * 64, 5)
      expect(q.device.needsNotification()).toBe(true)
    })

    it('NOTIFY_ON_EMPTY notifies when the device ran out, whatever the flag says', () => {
      const q = flatQueue({ queueSize: 8, features: featureSet(VIRTIO_F_NOTIFY_ON_EMPTY) })
      q.driver.setNotification(false)
      expect(q.device.needsNotification()).toBe(true)
      q.driver.addOne(q.heap, 1, false)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      q.device.popBatch(q.batch, 1)
      expect(q.device.needsNotification()).toBe(false)
    })

    it.each([
      ['flags', 0n],
      ['avail_event', featureSet(VIRTIO_F_EVENT_IDX)],
    ])('kicks are suppressed and asked for again through %s, and nothing is lost between', (_name, features) => {
      const q = flatQueue({ queueSize: 8, features: features })
      q.device.disableNotification()
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      q.driver.needsKick()
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      expect(q.driver.needsKick()).toBe(false)
      expect(q.device.enableNotification()).toBe(1)
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      expect(q.device.enableNotification()).toBe(0)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      expect(q.driver.needsKick()).toBe(true)
    })
  })
})
