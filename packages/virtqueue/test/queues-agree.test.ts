import {
  featureSet,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChainBatch } from '../src/index.ts'
import { type FlatQueue, flatQueue, WAYS } from './flat-queue.ts'
import { writeDescriptor } from './write-descriptor.ts'

/** What the driver gave with a chain. */
interface Given {
  readonly id: number
  readonly lengths: readonly number[]
}

interface Step {
  readonly kind: 'add' | 'serve' | 'reclaim' | 'rewind'
  readonly parts: number
  readonly indirect: boolean
  readonly count: number
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('add', 'add', 'add', 'serve', 'serve', 'reclaim', 'rewind'),
  parts: fc.integer({ min: 1, max: 4 }),
  indirect: fc.boolean(),
  count: fc.integer({ min: 1, max: 9 }),
})

/** Adds one chain of `parts` buffers; null when there is no room. */
function add(q: FlatQueue, { parts, indirect }: Step, serial: number, kind: 'readable' | 'writable'): Given | null {
  const lengths = Array.from({ length: parts }, (_, part) => 1 + ((serial + part) % 1000))
  const writable = kind === 'writable'
  const buffers = lengths.map((length, part) => ({ address: q.heap + 16 * part, length, writable }))
  if (!indirect || parts === 1) {
    const id = parts === 1 ? q.driver.addOne(q.heap, lengths[0]!, writable) : q.driver.add(buffers)
    return id < 0 ? null : { id, lengths }
  }
  const at = q.heap + 0x1000 + 64 * (serial % 512)
  const packed = q.ring.format === 'packed'
  buffers.forEach(({ address, length }, part) => {
    const flags = (writable ? VIRTQ_DESC_F_WRITE : 0) | (part < parts - 1 ? VIRTQ_DESC_F_NEXT : 0)
    // In a packed table NEXT and the id mean nothing: DPDK sets NEXT, AVAIL and USED there.
    const tail = packed ? ([0x7777, flags | 0x8080] as const) : ([flags, part + 1] as const)
    writeDescriptor(q.space.view.buffer, at + 16 * part, [address, length, ...tail])
  })
  const id = q.driver.addIndirect(at, parts)
  return id < 0 ? null : { id, lengths }
}

describe.each(WAYS)('by %s', (way) => {
  describe.each(['split', 'packed'] as const)('%s', (format) => {
    it.each([
      ['in any order', 0],
      ['in order', VIRTIO_F_IN_ORDER],
    ])(
      'driver and device agree %s, over many laps, with chains, indirect tables, rewinds and partial use',
      (_name, order) => {
        const features = featureSet(VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX, ...(order === 0 ? [] : [order]))
        const size = format === 'split' ? fc.constantFrom(1, 2, 8, 64) : fc.integer({ min: 1, max: 40 })
        const kinds = fc.constantFrom('readable' as const, 'writable' as const)
        fc.assert(
          fc.property(size, kinds, fc.array(step, { maxLength: 120 }), (queueSize, kind, steps) => {
            const q = flatQueue({ way, format, queueSize, features })
            const batch = new ChainBatch(5, kind)
            const given: Given[] = []
            const served: { id: number; written: number }[] = []
            let serial = 0
            for (const step of [...steps, { kind: 'serve', count: 9 }, { kind: 'reclaim' }] as Step[]) {
              if (step.kind === 'add') {
                const chain = add(q, step, serial++, kind)
                if (chain !== null) given.push(chain)
                q.driver.publish()
              } else if (step.kind === 'reclaim') {
                while (q.driver.getUsed()) {
                  const expected = served.shift()!
                  expect([q.driver.usedId, q.driver.usedLength]).toEqual([expected.id, expected.written])
                }
                expect(served).toEqual([])
              } else {
                const popped = q.device.popBatch(batch, step.count)
                expect(popped).toBe(Math.min(step.count, 5, given.length))
                for (let chain = 0; chain < popped; chain++) {
                  const expected = given[chain]!
                  const [from, end] = [batch.segStart[chain]!, batch.segStart[chain + 1]!]
                  expect([batch.idOf(chain), ...batch.length.subarray(from, end)]).toEqual([
                    expected.id,
                    ...expected.lengths,
                  ])
                }
                const kept = step.kind === 'rewind' ? popped >> 1 : popped
                if (kept < popped) q.device.rewind(batch, popped - kept)
                if (kind === 'writable')
                  for (let chain = 0; chain < kept; chain++) q.device.push(batch, chain, 7 + chain)
                expect(kind === 'writable' ? q.device.flush() : q.device.useBatch(batch, kept)).toBe(0)
                for (let chain = 0; chain < kept; chain++)
                  served.push({ id: given.shift()!.id, written: kind === 'writable' ? 7 + chain : 0 })
              }
            }
            expect(q.device.broken).toBeNull()
            expect(given.length + served.length).toBeLessThanOrEqual(queueSize)
          }),
          { numRuns: 300 },
        )
      },
    )
  })
})
