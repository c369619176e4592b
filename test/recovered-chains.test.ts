import { DESC_BYTES, featureSet, VIRTIO_F_INDIRECT_DESC, VIRTQ_DESC_F_INDIRECT } from '@vring/layout'
import type { ChainBatch } from '@vring/virtqueue'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chainAt, type FoundChain } from '../packages/vhost-user/src/chain-at.ts'
import { type FlatQueue, flatQueue } from '../packages/virtqueue/test/flat-queue.ts'

const QUEUE_SIZE = 8
const TABLE = 0x8_0000
/** Entries of each indirect table, and some room after it. */
const TABLE_ENTRIES = 8

interface Descriptor {
  readonly address: number
  readonly length: number
  readonly flags: number
  readonly next: number
}

/** All flags of a descriptor, in and out of the ring, empty ones too: most tables are malformed. */
const descriptors = fc.array(
  fc.record({
    address: fc.constantFrom(0x2_0000, 0x2_1000),
    length: fc.constantFrom(0, 16, 16, 32),
    flags: fc.constantFrom(0, 0, 1, 1, 1, 2, 2, 3, 3),
    next: fc.integer({ min: 0, max: QUEUE_SIZE }),
  }),
  { minLength: QUEUE_SIZE, maxLength: QUEUE_SIZE },
)
const heads = fc.record({
  indirect: fc.boolean(),
  bytes: fc.constantFrom(0, 15, 16, 48, 128),
  head: fc.nat(QUEUE_SIZE - 1),
})

function write(queue: FlatQueue, at: number, { address, length, flags, next }: Descriptor): void {
  const { u32 } = queue.space.view
  u32.set([address, 0, length, flags | (next << 16)], at >>> 2)
}

function buffersOf({ segStart, writeStart, address, length }: ChainBatch): FoundChain {
  const some = (from: number, to: number): { readonly address: number; readonly length: number }[] =>
    Array.from({ length: to - from }, (_, i) => ({ address: address[from + i]!, length: length[from + i]! }))
  return { readable: some(segStart[0]!, writeStart[0]!), writable: some(writeStart[0]!, segStart[1]!) }
}

test('a chain that is found by its head after a crash is the one that popBatch took, and none where that refused it', () => {
  let good = 0
  fc.assert(
    fc.property(descriptors, descriptors, heads, (ring, table, { indirect, bytes, head }) => {
      const queue = flatQueue({ queueSize: QUEUE_SIZE, features: featureSet(VIRTIO_F_INDIRECT_DESC) })
      const { device, batch, space, raw } = queue
      for (const [i, one] of ring.entries()) write(queue, queue.ring.desc.address + DESC_BYTES * i, one)
      for (const [i, one] of table.slice(0, TABLE_ENTRIES).entries()) write(queue, TABLE + DESC_BYTES * i, one)
      if (indirect)
        write(queue, queue.ring.desc.address + DESC_BYTES * head, {
          ...{ address: TABLE, length: bytes, next: 0 },
          flags: VIRTQ_DESC_F_INDIRECT | (ring[0]!.flags & 1),
        })
      raw.driver.store16(4, head)
      raw.driver.store16Release(2, 1)
      const popped = device.popBatch(batch, 1)
      const expected = popped === 1 ? buffersOf(batch) : 'malformed'
      const { desc } = queue.accessor()
      const found = chainAt(desc, space, QUEUE_SIZE, head, true)
      expect(typeof found === 'string' ? found : { readable: found.readable, writable: found.writable }).toEqual(
        expected,
      )
      if (popped === 1) good++
    }),
    { numRuns: 2000 },
  )
  expect(good).toBeGreaterThan(300)
})
