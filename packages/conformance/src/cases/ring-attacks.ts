import {
  featureSet,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import type { BrokenReason } from '@vring/virtqueue'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { onEveryRing, type RingBed } from './ring-bed.ts'

/** A malformed ring: for which format, why it breaks, and how the driver makes it. */
type Attack = readonly [format: 'any' | 'split' | 'packed', reason: BrokenReason, arrange: (bed: RingBed) => void]

const NEXT = VIRTQ_DESC_F_NEXT
const INDIRECT = VIRTQ_DESC_F_INDIRECT
const WRITE = VIRTQ_DESC_F_WRITE
/** Entries of the ring under attack. */
const SIZE = 8
const TOO_LONG = 1025
/** Without EVENT_IDX each hint to the driver is a store. */
const INDIRECT_ONLY = featureSet(VIRTIO_F_INDIRECT_DESC)

const ATTACKS: readonly Attack[] = [
  ['any', 'chain-too-long', (bed) => chain(bed, ...Array.from({ length: SIZE }, () => NEXT))],
  ['any', 'readable-after-writable', (bed) => chain(bed, WRITE | NEXT, 0)],
  ['any', 'indirect-with-next', (bed) => chain(bed, INDIRECT | NEXT, 0)],
  ['any', 'indirect-length', (bed) => table(bed, 0)],
  ['any', 'indirect-length', (bed) => table(bed, 24)],
  ['any', 'indirect-length', (bed) => table(bed, 16 * 65537)],
  ['any', 'indirect-fault', (bed) => table(bed, 16, 2 ** 45)],
  ['any', 'chain-too-long', longTable],
  ['split', 'avail-idx-jump', (bed) => void bed.driver.windows.driver.store16(2, SIZE + 1)],
  ['split', 'head-out-of-range', (bed) => chain({ head: SIZE, bed }, 0)],
  ['split', 'next-out-of-range', (bed) => chain({ next: SIZE, bed }, NEXT)],
  ['split', 'indirect-nested', (bed) => tableOf(bed, [16, INDIRECT])],
  ['split', 'next-out-of-range', (bed) => tableOf(bed, [1, NEXT | (1 << 16)])],
  ['split', 'chain-too-long', (bed) => tableOf(bed, [0, NEXT | (1 << 16)], [0, NEXT])],
  ['packed', 'id-out-of-range', (bed) => chain({ id: SIZE, bed }, 0)],
  ['packed', 'id-out-of-range', (bed) => chain({ id: SIZE, bed }, NEXT, 0)],
  ['packed', 'indirect-with-next', (bed) => chain(bed, NEXT, INDIRECT)],
  ['packed', 'readable-after-writable', (bed) => tableOf(bed, [1, WRITE << 16], [1, 0])],
]

/** What hostile drivers do to rings of both formats, and what faults do. */
export const ringAttackCases: readonly ConformanceCase[] = [
  {
    suite: 'hostile ring',
    title: 'a malformed ring of either format breaks for its reason, and is then left alone',
    run(subject) {
      for (const [format, reason, arrange] of ATTACKS)
        onEveryRing(subject, { queueSize: SIZE, only: format, features: INDIRECT_ONLY }, (bed, where) => {
          const { device, driver, batch, world, cpu } = bed
          arrange(bed)
          const before = bytes(bed)
          bed.round(() => {
            check(device.popBatch(batch, 64) < 0, `${where}: a ring that is malformed (${reason}) is refused`)
            checkEqual(device.broken, reason, `${where}: broken`)
            cpu.reset()
            check(device.popBatch(batch, 64) < 0, `${where}: popBatch of a broken queue`)
            device.push(batch, 0, 0)
            check(device.flush() < 0, `${where}: flush of a broken queue`)
            checkEqual(device.needsNotification(), false, `${where}: needsNotification of a broken queue`)
            check(device.enableNotification() < 0, `${where}: enableNotification of a broken queue`)
            check(device.hasMore() < 0, `${where}: hasMore of a broken queue`)
            device.disableNotification()
            const [touched] = cpu.recorded.filter(({ step }) => step === 'load' || step === 'store')
            check(touched === undefined, `${where}: a queue broken by ${reason} makes no ${touched?.step}`)
          })
          checkEqual(bytes(bed), before, `${where}: bytes of the ring after ${reason}`)
          checkEqual(world.smapViolations(), 0, `${where}: SMAP violations`)
          checkEqual(driver.reclaim(), 0, `${where}: used chains`)
        })
    },
  },
  {
    suite: 'hostile ring',
    title: 'a chain has no more descriptors than the device accepts, in the ring and in its table',
    run(subject) {
      for (const inTable of [false, true])
        onEveryRing(subject, { device: { chainMax: 3 } }, (bed, where) => {
          if (inTable) bed.addTable(bed.heap, 4, 10)
          else bed.addChain(1, 2, 3, 4)
          bed.driver.publish()
          check(bed.pop() < 0, `${where}: four descriptors where three are accepted`)
          checkEqual(bed.device.broken, 'chain-too-long', `${where}: broken`)
        })
    },
  },
  {
    suite: 'hostile ring',
    title: 'an indirect table needs its feature',
    run(subject) {
      onEveryRing(subject, { features: 0n }, (bed, where) => {
        bed.addTable(bed.heap, 2, 10)
        bed.driver.publish()
        check(
          bed.round(() => bed.device.popBatch(bed.batch, 64)) < 0,
          `${where}: a table that was not negotiated is refused`,
        )
        checkEqual(bed.device.broken, 'indirect-not-negotiated', `${where}: broken`)
      })
    },
  },
  {
    suite: 'hostile ring',
    title: 'chains before a malformed one are served first; a driver that gives more than the ring has gets nothing',
    run(subject) {
      onEveryRing(subject, { queueSize: SIZE }, (bed, where) => {
        const { device, batch, driver, split } = bed
        bed.addSingles(SIZE)
        const pop = (): number => bed.round(() => device.popBatch(batch, 64))
        checkEqual(pop(), SIZE, `${where}: chains`)
        bed.round(() => {
          for (let one = 0; one < SIZE; one++) device.push(batch, one, 0)
        })
        // Available again before they are used.
        if (split) driver.windows.driver.store16Release(2, 2 * SIZE)
        else for (let slot = 0; slot < SIZE; slot++) driver.windows.desc.store16(16 * slot + 14, 0x8000)
        const again = pop()
        check(split ? again < 0 : again === 0, `${where}: popBatch gave ${again} for chains that are not used yet`)
        checkEqual(batch.uniform, true, `${where}: a batch that took nothing is as it was begun`)
        if (!split)
          checkEqual(
            bed.round(() => device.enableNotification()),
            0,
            `${where}: enableNotification`,
          )
      })
      onEveryRing(subject, { queueSize: SIZE }, (bed, where) => {
        const { device, batch, driver, split } = bed
        bed.addSingles(3)
        if (split) driver.windows.driver.store16(4 + 2 * 2, 99)
        else driver.windows.desc.store16(2 * 16 + 12, 99)
        const pop = (): number => bed.round(() => device.popBatch(batch, 64))
        checkEqual([pop(), device.broken], [2, null], `${where}: chains before a malformed one`)
        checkEqual(
          bed.round(() => device.useBatch(batch, 2)),
          0,
          `${where}: useBatch`,
        )
        check(pop() < 0 && device.broken !== null, `${where}: then the queue breaks`)
      })
    },
  },
  {
    suite: 'hostile ring',
    title: 'ring memory that is gone breaks the queue, whatever it was reached for',
    run(subject) {
      const reached: readonly (readonly [string, (bed: RingBed) => number])[] = [
        ['popBatch', ({ device, batch }) => device.popBatch(batch, 64)],
        ['flush', ({ device }) => device.flush()],
        ['needsNotification', ({ device }) => (device.needsNotification() ? -1 : 0)],
        ['enableNotification', ({ device }) => device.enableNotification()],
      ]
      for (const [name, reach] of reached)
        onEveryRing(subject, { features: 0n }, (bed, where) => {
          bed.addSingles(2)
          bed.round(() => bed.device.popBatch(bed.batch, 1))
          bed.round(() => bed.device.push(bed.batch, 0, 0))
          for (const area of ['desc', 'driver', 'device'] as const) bed.world.unmap(area)
          check(bed.round(() => reach(bed)) < 0, `${where}: ${name} without memory`)
          checkEqual(bed.device.broken, 'metadata-fault', `${where}: broken by ${name}`)
        })
    },
  },
]

/** Where a chain differs from the one that its driver would make. */
interface Forged {
  readonly bed: RingBed
  readonly head?: number
  readonly next?: number
  readonly id?: number
}

/** Writes one chain of descriptors with these flags and makes it available. */
function chain(forged: RingBed | Forged, ...flags: number[]): void {
  const { bed, head = 0, next, id = 0 } = 'bed' in forged ? forged : { bed: forged }
  for (const [index, one] of flags.entries()) {
    const following = next ?? (index + 1) % SIZE
    const tail = bed.split ? one | (following << 16) : id | ((one | VIRTQ_DESC_F_AVAIL) << 16)
    const indirect = (one & INDIRECT) !== 0
    bed.writeDescriptor(index, bed.heap, indirect ? 16 : 60, tail)
  }
  if (bed.split) expose(bed, head)
}

/** Makes a table of `length` bytes available. */
function table(bed: RingBed, length: number, address: number = bed.heap): void {
  bed.writeDescriptor(0, address, length, bed.split ? INDIRECT : (INDIRECT | VIRTQ_DESC_F_AVAIL) << 16)
  if (bed.split) expose(bed, 0)
}

/** Makes a table of descriptors (length, last word) available. */
function tableOf(bed: RingBed, ...entries: (readonly [number, number])[]): void {
  for (const [entry, [length, tail]] of entries.entries()) bed.writeTable(bed.heap, entry, bed.heap, length, tail)
  table(bed, 16 * entries.length)
}

function longTable(bed: RingBed): void {
  tableOf(
    bed,
    ...Array.from({ length: TOO_LONG }, (_, entry): [number, number] => [
      1,
      bed.split ? NEXT | ((entry + 1) << 16) : 0,
    ]),
  )
}

function expose({ driver }: RingBed, head: number): void {
  driver.windows.driver.store16(4, head)
  driver.windows.driver.store16Release(2, 1)
}

function bytes({ world }: RingBed): string {
  return (['desc', 'driver', 'device'] as const).map((area) => world.driver.bytes(area).join()).join(' ')
}
