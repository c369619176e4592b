import { EAGAIN } from '@vring/layout'
import { PAGE_BYTES } from '@vring/memory'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { onEveryRing, type RingBed, type RingBedOptions } from './ring-bed.ts'
import { HoledBuffers, Translations } from './ring-guards.ts'

/** The second descriptor, avail entry and used element begin a page. */
const SPLIT_AT_ONE: RingBedOptions = {
  only: 'split',
  pageOffset: { desc: PAGE_BYTES - 16, driver: PAGE_BYTES - 6, device: PAGE_BYTES - 12 },
}
const PACKED_AT_ONE: RingBedOptions = { only: 'packed', pageOffset: { desc: PAGE_BYTES - 16, driver: 0, device: 0 } }
const AT_ONE = [SPLIT_AT_ONE, PACKED_AT_ONE] as const

/** Parts of a ring that can not be reached, or not now. */
export const ringFaultCases: readonly ConformanceCase[] = [
  {
    suite: 'ring faults',
    title: 'what lies on a page that is gone ends the batch before its chain, whatever part of it that is',
    run(subject) {
      for (const options of AT_ONE)
        for (const part of options === SPLIT_AT_ONE ? (['driver', 'desc'] as const) : (['desc'] as const))
          onEveryRing(subject, options, (bed, where) => {
            bed.addSingles(2)
            bed.world.unmap(part, PAGE_BYTES)
            checkEqual(bed.pop(), 1, `${where}: chains before a page of ${part} that is gone`)
            check(bed.pop() < 0, `${where}: a chain on a page of ${part} that is gone`)
            checkEqual(bed.device.broken, 'metadata-fault', `${where}: broken`)
          })
      for (const options of AT_ONE)
        onEveryRing(subject, options, (bed, where) => {
          bed.addChain(1, 2)
          bed.driver.publish()
          bed.world.unmap('desc', PAGE_BYTES)
          check(bed.pop() < 0, `${where}: a chain whose second descriptor is gone`)
          checkEqual(bed.device.broken, 'metadata-fault', `${where}: broken`)
        })
    },
  },
  {
    suite: 'ring faults',
    title: 'nothing is published where a part of it can not be stored',
    run(subject) {
      for (const options of AT_ONE)
        onEveryRing(subject, options, (bed, where) => {
          const { device, driver, split, world } = bed
          bed.addSingles(3)
          checkEqual(bed.pop(), 3, `${where}: chains`)
          const published = (): number => (split ? driver.windows.device.load16(2) : driver.windows.desc.load16(14))
          const before = published()
          world.unmap(split ? 'device' : 'desc', PAGE_BYTES)
          check(bed.round(() => device.useBatch(bed.batch, 3)) < 0, `${where}: useBatch on a page that is gone`)
          checkEqual([published(), device.broken], [before, 'metadata-fault'], `${where}: what publishes, and broken`)
        })
    },
  },
  {
    suite: 'ring faults',
    title: 'the second look after asking for notification fails as the first does',
    run(subject) {
      onEveryRing(subject, {}, (bed, where) => {
        bed.world.unmap(bed.split ? 'driver' : 'desc')
        check(bed.round(() => bed.device.enableNotification()) < 0, `${where}: a look at memory that is gone`)
        checkEqual(bed.device.broken, 'metadata-fault', `${where}: broken`)
      })
    },
  },
  {
    suite: 'ring faults',
    title: 'a translation that is missing is asked for again by whatever needs it, and nothing is lost or done twice',
    run(subject) {
      const translations = new Translations()
      onEveryRing(subject, { accessor: (accessor) => translations.cover(accessor) }, (bed, where) => {
        const { device, batch } = bed
        bed.addSingles(2)
        bed.addChain(1, 2)
        bed.addTable(bed.heap + 0x1000, 2, 10)
        bed.driver.publish()
        bed.round(() => {
          translations.missing = true
          checkEqual(device.popBatch(batch, 64), EAGAIN, `${where}: popBatch`)
          checkEqual(device.enableNotification(), EAGAIN, `${where}: enableNotification`)
          checkEqual(device.needsNotification(), true, `${where}: needsNotification`)
          translations.missing = false
          checkEqual(device.popBatch(batch, 64), 4, `${where}: chains`)
          translations.missing = true
          checkEqual(device.useBatch(batch, 4), EAGAIN, `${where}: useBatch`)
          checkEqual([device.pending, device.flush(), device.broken], [4, EAGAIN, null], `${where}: pending`)
          translations.missing = false
          checkEqual([device.flush(), device.pending], [0, 0], `${where}: flush`)
        })
        checkEqual(bed.driver.reclaim(), 4, `${where}: used chains`)
      })
    },
  },
  {
    suite: 'ring faults',
    title: 'an indirect table whose translation is missing ends the batch before its chain, at any entry of it',
    run(subject) {
      for (const entry of [0, 1]) {
        const buffers = new HoledBuffers()
        const arrange = (bed: RingBed): number => {
          const table = bed.heap + 0x1000
          buffers.follow(bed.world.space)
          bed.addSingles(1)
          bed.addTable(table, 2, 10)
          bed.driver.publish()
          return table
        }
        onEveryRing(subject, { device: { buffers } }, (bed, where) => {
          const hole = arrange(bed) + 16 * entry
          buffers.from = hole
          buffers.to = hole + 16
          checkEqual(bed.pop(), 1, `${where}: chains before the table`)
          checkEqual([bed.pop(), bed.device.broken], [EAGAIN, null], `${where}: the table`)
          buffers.from = Number.POSITIVE_INFINITY
          checkEqual(bed.pop(), 1, `${where}: chains after an update`)
          checkEqual(bed.lengths(), [[10, 11]], `${where}: lengths`)
        })
      }
    },
  },
]
