import { EAGAIN, featureSet, VIRTIO_F_EVENT_IDX, VIRTIO_F_IN_ORDER, VIRTIO_F_INDIRECT_DESC } from '@vring/layout'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { onEveryRing, type RingBed } from './ring-bed.ts'

/** What the driver gave with a chain. */
interface Given {
  readonly id: number
  readonly lengths: readonly number[]
}

const STEPS = 96

/** The rings that ship, of both formats, over the accessor: what a device does with it. */
export const ringCases: readonly ConformanceCase[] = [
  {
    suite: 'ring',
    title: 'rings of both formats carry chains of every kind, lap after lap, while pages move',
    run(subject) {
      for (const queueSize of [8, 4])
        for (const order of [0n, featureSet(VIRTIO_F_IN_ORDER)]) {
          const features = featureSet(VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX) | order
          for (const kind of ['readable', 'writable'] as const)
            onEveryRing(subject, { queueSize, features, kind }, (bed, where) => carry(bed, kind, where))
        }
      // A packed ring need not have a power of two.
      onEveryRing(subject, { only: 'packed', queueSize: 5 }, (bed, where) => carry(bed, 'readable', where))
    },
  },
  {
    suite: 'ring',
    title: 'a missing translation is asked for again, in rings of both formats, and nothing is lost',
    appliesTo: ({ supports }) => supports.iotlb,
    run(subject) {
      onEveryRing(subject, { iotlb: true }, (bed, where) => {
        const { world, device, driver, batch } = bed
        const areas = ['desc', 'driver', 'device'] as const
        bed.addSingles(3)
        let taken = 0
        for (let round = 0; round < 3 && taken === 0; round++) {
          world.accessor.beginRound()
          if (round === 0) for (const area of areas) world.untranslate(area)
          taken = device.popBatch(batch, 64)
          world.accessor.endRound()
          if (taken === EAGAIN) taken = 0
          for (const area of areas) world.translate(area)
        }
        checkEqual([taken, device.broken], [3, null], `${where}: chains after a miss`)
        world.accessor.beginRound()
        for (const area of areas) world.untranslate(area)
        const status = device.useBatch(batch, 3)
        const asked = device.needsNotification()
        world.accessor.endRound()
        for (const area of areas) world.translate(area)
        check(status === EAGAIN ? asked : status === 0, `${where}: useBatch gave ${status} without a translation`)
        bed.round(() => checkEqual([device.flush(), device.broken], [0, null], `${where}: flush`))
        checkEqual(driver.reclaim(), 3, `${where}: used chains`)
      })
    },
  },
]

/** Adds, serves, gives back and reclaims; each chain must arrive as it was given, and its used element go back. */
function carry(bed: RingBed, kind: 'readable' | 'writable', where: string): void {
  const { device, driver, batch, world, heap } = bed
  const writable = kind === 'writable'
  const given: Given[] = []
  const served: { id: number; written: number }[] = []
  for (let step = 0; step < STEPS; step++) {
    const kindOfStep = (step * 7) % 16
    if (kindOfStep < 9) {
      const parts = 1 + (step % 3)
      const lengths = Array.from({ length: parts }, (_, part) => 1 + ((5 * step + part) % 900))
      const table = parts > 1 && step % 4 === 1 && !writable
      const buffers = lengths.map((length, part) => ({ address: heap + 64 * part, length, writable }))
      const id = table
        ? bed.driver.freeCount === 0
          ? -1
          : bed.addTable(heap + 0x1000 + 128 * (step % 64) + (step % 3), parts, lengths[0]!)
        : driver.add(buffers)
      if (id >= 0) given.push({ id, lengths: table ? lengths.map((_, part) => lengths[0]! + part) : lengths })
      driver.publish()
    } else if (kindOfStep < 11) {
      while (driver.getUsed()) {
        const { id, written } = served.shift()!
        checkEqual([driver.usedId, driver.usedLength], [id, written], `${where}: used chain`)
      }
      checkEqual(served.length, 0, `${where}: used chains that the driver does not see`)
    } else if (kindOfStep === 11) {
      const area = (['desc', 'driver', 'device'] as const)[step % 3]!
      if (step % 2 === 0) world.migrate(area)
      else world.swapOut(area)
    } else {
      const most = 1 + (step % 5)
      const popped = bed.round(() => device.popBatch(batch, most))
      checkEqual(popped, Math.min(most, given.length), `${where}: chains of a batch`)
      for (let chain = 0; chain < popped; chain++) {
        const found = [...batch.length.subarray(batch.segStart[chain], batch.segStart[chain + 1])]
        const expected = given[chain]!
        checkEqual([batch.idOf(chain), ...found], [expected.id, ...expected.lengths], `${where}: chain`)
        const bytes = writable ? found.reduce((sum, length) => sum + length, 0) : 0
        checkEqual(batch.writableBytes(chain), bytes, `${where}: writable bytes`)
      }
      const kept = kindOfStep === 12 ? popped >> 1 : popped
      bed.round(() => {
        if (kept < popped) device.rewind(batch, popped - kept)
        if (writable) for (let chain = 0; chain < kept; chain++) device.push(batch, chain, 7 + chain)
        checkEqual(writable ? device.flush() : device.useBatch(batch, kept), 0, `${where}: publishing`)
      })
      for (let chain = 0; chain < kept; chain++)
        served.push({ id: given.shift()!.id, written: writable ? 7 + chain : 0 })
    }
  }
  checkEqual(device.broken, null, `${where}: broken`)
}
