import {
  featureSet,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectLatched } from '../../test/expect-latched.ts'
import { type FlatQueue, type FlatQueueOptions, flatQueue as makeQueue, WAYS } from '../../test/flat-queue.ts'
import { descriptor, expose, table } from '../../test/split-raw.ts'
import type { DescriptorWords } from '../../test/write-descriptor.ts'
import type { BrokenReason } from '../broken-reason.ts'
import { CHAIN_DESCRIPTORS_MAX } from '../chain-batch.ts'

const INDIRECT = featureSet(VIRTIO_F_INDIRECT_DESC)

describe.each(WAYS)('a split ring by %s', (way) => {
  const flatQueue = (options: FlatQueueOptions = {}): FlatQueue => makeQueue({ way, ...options })

  describe('a hostile driver breaks its queue and nothing else', () => {
    type Attack = readonly [title: string, reason: BrokenReason, arrange: (q: FlatQueue) => void]
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
      expectLatched(q, reason)
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
})
