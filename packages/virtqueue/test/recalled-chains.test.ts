import {
  DESC_BYTES,
  EAGAIN,
  EINVAL,
  featureSet,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
} from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChainBatch } from '../src/index.ts'
import { type FlatQueue, flatQueue } from './flat-queue.ts'
import { writeDescriptor } from './write-descriptor.ts'

const QUEUE_SIZE = 8
const TABLE = 0x8_0000

/** Address, length, flags and `next` or id of a descriptor. */
type Descriptor = readonly [address: number, length: number, flags: number, rest: number]

/** All flags of a descriptor, in and out of the ring, empty ones too: most tables are malformed. */
const descriptors = fc.array(
  fc.tuple(
    fc.constantFrom(0x2_0000, 0x2_1000),
    fc.constantFrom(0, 16, 16, 32),
    fc.constantFrom(0, 0, 1, 1, 1, 2, 2, 3, 3),
    fc.integer({ min: 0, max: QUEUE_SIZE }),
  ),
  { minLength: QUEUE_SIZE, maxLength: QUEUE_SIZE },
)
const heads = fc.record({
  indirect: fc.boolean(),
  bytes: fc.constantFrom(0, 15, 16, 48, 128),
  head: fc.nat(QUEUE_SIZE - 1),
})
const features = featureSet(VIRTIO_F_INDIRECT_DESC)

function writeSplit({ space }: FlatQueue, at: number, [address, length, flags, next]: Descriptor): void {
  writeDescriptor(space.view.buffer, at, [address, length, flags, next])
}

function writePacked({ space }: FlatQueue, at: number, [address, length, flags, id]: Descriptor): void {
  writeDescriptor(space.view.buffer, at, [address, length, id, flags])
}

/** The only chain of a batch. */
function chainOf({ segStart, writeStart, address, length, used, slots }: ChainBatch): unknown {
  const some = (from: number, to: number): unknown =>
    Array.from({ length: to - from }, (_, i) => [address[from + i], length[from + i]])
  return {
    ...{ id: used[0], slots: slots[0] },
    readable: some(segStart[0]!, writeStart[0]!),
    writable: some(writeStart[0]!, segStart[1]!),
  }
}

/** What popBatch and recall make of the same chain. */
function bothWays(queue: FlatQueue, taken: () => number | Uint32Array): [popped: unknown, recalled: unknown] {
  const { device, batch } = queue
  const popped = device.popBatch(batch, 1) === 1 ? chainOf(batch) : 'refused'
  // Of a queue that refused a chain nothing is recalled: another one stands in its place.
  const other = flatQueue({ format: queue.ring.format, queueSize: QUEUE_SIZE, features })
  other.space.view.u8.set(queue.space.view.u8)
  const recalled = other.device.recall(other.batch, taken()) === 1 ? chainOf(other.batch) : 'refused'
  expect(other.device.broken).toBe(null)
  return [popped, recalled]
}

describe('a chain that a device before this one had taken is recalled as popBatch takes it, and refused where that refuses it', () => {
  it('split: by its head', () => {
    let good = 0
    fc.assert(
      fc.property(descriptors, descriptors, heads, (ring, table, { indirect, bytes, head }) => {
        const queue = flatQueue({ queueSize: QUEUE_SIZE, features })
        const at = (index: number): number => queue.ring.desc.address + DESC_BYTES * index
        for (const [i, one] of ring.entries()) writeSplit(queue, at(i), one)
        for (const [i, one] of table.entries()) writeSplit(queue, TABLE + DESC_BYTES * i, one)
        if (indirect) writeSplit(queue, at(head), [TABLE, bytes, VIRTQ_DESC_F_INDIRECT | (ring[0]![2] & 1), 0])
        queue.raw.driver.store16(4, head)
        queue.raw.driver.store16Release(2, 1)
        const [popped, recalled] = bothWays(queue, () => head)
        expect(recalled).toEqual(popped)
        if (popped !== 'refused') good++
      }),
      { numRuns: 1000 },
    )
    expect(good).toBeGreaterThan(150)
  })

  it('packed: by its descriptors', () => {
    let good = 0
    fc.assert(
      fc.property(descriptors, descriptors, heads, (ring, table, { indirect, bytes }) => {
        const queue = flatQueue({ format: 'packed', queueSize: QUEUE_SIZE, features })
        const at = (index: number): number => queue.ring.desc.address + DESC_BYTES * index
        for (const [i, [address, length, flags, id]] of ring.entries())
          writePacked(queue, at(i), [address, length, flags | VIRTQ_DESC_F_AVAIL, id])
        for (const [i, one] of table.entries()) writePacked(queue, TABLE + DESC_BYTES * i, one)
        const kind = VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_AVAIL | (ring[0]![2] & 1)
        if (indirect) writePacked(queue, at(0), [TABLE, bytes, kind, ring[0]![3]])
        const first = queue.space.view.u32[(at(0) >>> 2) + 3]! >>> 16
        // As long as NEXT says; a ring full of it is refused as too long.
        let count = 1
        for (; count < QUEUE_SIZE && (count > 1 ? ring[count - 1]![2] : first) & VIRTQ_DESC_F_NEXT; ) count++
        const words = queue.space.view.u32.slice(at(0) >>> 2, at(count) >>> 2)
        const [popped, recalled] = bothWays(queue, () => words)
        expect(recalled).toEqual(popped)
        if (popped !== 'refused') good++
      }),
      { numRuns: 1000 },
    )
    expect(good).toBeGreaterThan(150)
  })
})

describe('what is no chain is refused, and breaks nothing', () => {
  const split = flatQueue({ queueSize: QUEUE_SIZE })
  const packed = flatQueue({ format: 'packed', queueSize: QUEUE_SIZE })
  it.each([
    ['a head out of range', split, QUEUE_SIZE],
    ['descriptors for a split ring', split, new Uint32Array(4)],
    ['a head for a packed ring', packed, 0],
    ['no descriptor', packed, new Uint32Array(0)],
    ['more than the ring has', packed, new Uint32Array(4 * QUEUE_SIZE + 4)],
    ['a chain that ends before the last one', packed, new Uint32Array(8).fill(1, 2, 3)],
  ])('%s', (_, { device, batch }, taken) => {
    expect(device.recall(batch, taken)).toBe(EINVAL)
    expect([device.broken, device.base, batch.count]).toEqual([null, device === split.device ? 0 : 0x8000_8000, 0])
  })

  it('a chain that is refused', () => {
    const readableLast = new Uint32Array([0x2_0000, 0, 16, 3 << 16, 0x2_0000, 0, 16, 0])
    expect(packed.device.recall(packed.batch, readableLast)).toBe(EINVAL)
    expect([packed.device.broken, packed.batch.count]).toEqual([null, 0])
  })

  it('a queue that is broken', () => {
    for (const [format, taken] of [
      ['split', 0],
      ['packed', Uint32Array.of(0x2_0000, 0, 16, 0)],
    ] as const) {
      const { device, batch } = flatQueue({ format, queueSize: QUEUE_SIZE })
      if (format === 'packed') expect(device.recall(batch, taken)).toBe(1)
      device.latch('avail-idx-jump')
      expect(device.recall(batch, taken)).toBe(EINVAL)
    }
  })

  it('a table whose translation is missing is asked for again', () => {
    const queue = flatQueue({ queueSize: QUEUE_SIZE, features })
    writeSplit(queue, queue.ring.desc.address, [TABLE, 16, VIRTQ_DESC_F_INDIRECT, 0])
    queue.space.hole = { from: TABLE, to: TABLE + 4096, errno: EAGAIN }
    expect(queue.device.recall(queue.batch, 0)).toBe(EAGAIN)
    queue.space.hole = null
    expect(queue.device.recall(queue.batch, 0)).toBe(1)
  })
})
