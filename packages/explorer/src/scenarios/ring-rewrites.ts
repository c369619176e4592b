import { featureSet, VIRTIO_F_INDIRECT_DESC, VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT } from '@vring/layout'
import { PAGE_BYTES } from '@vring/memory'
import { ChainBatch } from '@vring/virtqueue'
import { AVAIL_PAGE, DESC_PAGE, OTHER_PAGE, type QueueWorld } from '../queue-world.ts'
import { type QueueScenario, queueScenario } from './queue-scenario.ts'

/** Bytes of each buffer. */
const BUFFER = 64
/** A split descriptor: address, length, flags and next. */
type Descriptor = readonly [address: number, length: number, flags: number, next: number]

/** The driver changes the head of a chain while the device takes it. */
export const headRewritten: QueueScenario = rewriting(
  'head-rewritten',
  'the entry of the avail ring that names a chain',
  [
    [0x1000, BUFFER, 0, 0],
    [0x2000, BUFFER, 0, 0],
  ],
  ({ cpu, user }) => cpu.storeUser16(user(AVAIL_PAGE, 4), 5),
  ['head 0: 1000', 'head-out-of-range'],
)

/** The driver changes where a chain goes on while the device follows it. */
export const nextRewritten: QueueScenario = rewriting(
  'next-rewritten',
  '`next` of a descriptor',
  [
    [0x1000, BUFFER, VIRTQ_DESC_F_NEXT, 1],
    [0x2000, BUFFER, 0, 0],
  ],
  (queue) => storeHalf(queue, DESC_PAGE, 0, [0x1000, BUFFER, VIRTQ_DESC_F_NEXT, 2]),
  ['head 0: 1000 2000', 'next-out-of-range'],
)

/**
 * The driver changes the length of an indirect table while the device walks it: its second descriptor goes on to a
 * third.
 */
export const tableRewritten: QueueScenario = rewriting(
  'table-rewritten',
  'the length of an indirect table',
  [
    [OTHER_PAGE * PAGE_BYTES, 32, VIRTQ_DESC_F_INDIRECT, 0],
    [0x2000, BUFFER, 0, 0],
  ],
  (queue) => storeHalf(queue, DESC_PAGE, 0, [OTHER_PAGE * PAGE_BYTES, 16 * 65_537, VIRTQ_DESC_F_INDIRECT, 0]),
  ['next-out-of-range', 'indirect-length'],
  [
    [0x3000, BUFFER, VIRTQ_DESC_F_NEXT, 1],
    [0x4000, BUFFER, VIRTQ_DESC_F_NEXT, 2],
    [0x5000, BUFFER, 0, 0],
  ],
)

/**
 * A hostile driver makes chain 0 available and changes one value of it while the device takes it. Under every schedule
 * the device does what it does with the first value or what it does with the second. A value that is loaded twice gives
 * a chain that neither of them has.
 */
function rewriting(
  name: string,
  what: string,
  descriptors: readonly Descriptor[],
  rewrite: (queue: Pick<QueueWorld, 'cpu' | 'user'>) => void,
  either: readonly [string, string],
  table: readonly Descriptor[] = [],
): QueueScenario {
  return queueScenario(name, `a hostile driver changes ${what} while the device takes the chain`, (queue, world) => {
    const { cpu } = queue
    const place = { cpu, user: (page: number, offset: number) => queue.user(page, offset) }
    for (const [index, descriptor] of descriptors.entries()) store(place, DESC_PAGE, index, descriptor)
    for (const [index, descriptor] of table.entries()) store(place, OTHER_PAGE, index, descriptor)
    cpu.storeUser16(queue.user(AVAIL_PAGE, 4), 0)
    cpu.storeUser16(queue.user(AVAIL_PAGE, 2), 1)
    return {
      threads: [
        {
          name: 'device',
          accesses: true,
          run: () =>
            queue.round(() => {
              const taken = take(queue)
              if (!either.includes(taken))
                world.fail('unchecked-value', `${taken}; either value gives ${either.join(' or ')}`)
            }),
        },
        { name: 'driver', run: () => rewrite(place) },
      ],
    }
  })
}

/** What the device makes of the ring: its chain, or why it is broken. */
function take(queue: QueueWorld): string {
  const device = queue.createDevice(featureSet(VIRTIO_F_INDIRECT_DESC))
  const batch = new ChainBatch(2)
  if (device.popBatch(batch, 1) < 1) return device.broken ?? 'nothing'
  const addresses = [...batch.address.subarray(0, batch.segStart[1])].map((address) => address.toString(16))
  return `head ${batch.idOf(0)}: ${addresses.join(' ')}`
}

type Place = Pick<QueueWorld, 'cpu' | 'user'>

function store(place: Place, page: number, index: number, descriptor: Descriptor): void {
  place.cpu.storeUserWords(place.user(page, 16 * index), [descriptor[0], 0])
  storeHalf(place, page, index, descriptor)
}

/** Length, flags and next: one store, as of 64 bits. */
function storeHalf({ cpu, user }: Place, page: number, index: number, [, length, flags, next]: Descriptor): void {
  cpu.storeUserWords(user(page, 16 * index + 8), [length, flags | (next << 16)])
}
