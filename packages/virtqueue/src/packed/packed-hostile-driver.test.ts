import {
  featureSet,
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
import { descriptor } from '../../test/packed-raw.ts'
import { WatchingCpu } from '../../test/watching-cpu.ts'
import type { BrokenReason } from '../broken-reason.ts'
import { CHAIN_DESCRIPTORS_MAX } from '../chain-batch.ts'

const INDIRECT = featureSet(VIRTIO_F_INDIRECT_DESC)
const AVAILABLE = VIRTQ_DESC_F_AVAIL

describe.each(WAYS)('a packed ring by %s', (way) => {
  const packed = (options: FlatQueueOptions = {}): FlatQueue => flatQueue({ way, format: 'packed', ...options })

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
})
