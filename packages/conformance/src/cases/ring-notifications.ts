import {
  featureSet,
  RING_EVENT_FLAGS_DESC,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_NOTIFY_ON_EMPTY,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_USED,
} from '@vring/layout'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { onEveryRing, type RingBed } from './ring-bed.ts'

/** Entries of the ring. */
const SIZE = 8
const NOTIFY_ON_EMPTY = featureSet(VIRTIO_F_NOTIFY_ON_EMPTY)

/** Notifications of both sides, in rings of both formats. */
export const ringNotificationCases: readonly ConformanceCase[] = [
  {
    suite: 'ring notifications',
    title: 'the driver is notified of the step over its event, also one of another lap, and of nothing else',
    run(subject) {
      onEveryRing(subject, { queueSize: SIZE }, (bed, where) => {
        // The first look after a start always notifies in a split ring.
        use(bed, 1)
        bed.round(() => bed.device.needsNotification())
        setEvent(bed, 3)
        checkEqual([uses(bed, 1), uses(bed, 1), uses(bed, 1), uses(bed, 1)], [false, false, true, false], where)
        setEvent(bed, 7)
        checkEqual([uses(bed, 2), uses(bed, 3)], [false, true], `${where}: an event that a batch steps over`)
        setEvent(bed, 8)
        checkEqual([uses(bed, 1)], [false], `${where}: an event of the past`)
      })
    },
  },
  {
    suite: 'ring notifications',
    title: 'a split driver is notified at first, after 65536 chains, and where it asked for it when the device ran out',
    run(subject) {
      const features = featureSet(VIRTIO_F_EVENT_IDX, VIRTIO_F_IN_ORDER)
      onEveryRing(subject, { queueSize: SIZE, features, only: 'split' }, (bed, where) => {
        const { device, batch } = bed
        setEvent(bed, 1000)
        checkEqual(uses(bed, 1), true, `${where}: the first time`)
        checkEqual(uses(bed, 1), false, `${where}: an event that is far ahead`)
        bed.addSingles(SIZE)
        bed.round(() => {
          checkEqual(device.popBatch(batch, 64), SIZE, `${where}: chains`)
          // In order each is one element, so that used.idx goes round; the same chains do for all of them.
          for (let used = 0; used < 65536; used += SIZE) device.useBatch(batch, SIZE)
          checkEqual(device.needsNotification(), true, `${where}: after 65536 chains the event may lie anywhere`)
        })
      })
      onEveryRing(subject, { only: 'split', features: NOTIFY_ON_EMPTY }, (bed, where) => {
        bed.driver.setNotification(false)
        bed.addSingles(2)
        bed.round(() => {
          bed.device.popBatch(bed.batch, 1)
          checkEqual(bed.device.needsNotification(), false, `${where}: chains are left`)
          bed.device.popBatch(bed.batch, 1)
          checkEqual(bed.device.needsNotification(), true, `${where}: the device ran out`)
        })
      })
    },
  },
  {
    suite: 'ring notifications',
    title: 'a driver that asks for none gets none, and without EVENT_IDX its flags alone count',
    run(subject) {
      for (const features of [0n, featureSet(VIRTIO_F_EVENT_IDX)])
        onEveryRing(subject, { queueSize: SIZE, features }, (bed, where) => {
          use(bed, 1)
          checkEqual(
            bed.round(() => bed.device.needsNotification()),
            true,
            `${where}: at first`,
          )
          bed.driver.setNotification(false)
          checkEqual(uses(bed, 1), false, `${where}: asked for none`)
          if (bed.split || features !== 0n) return
          bed.driver.windows.driver.store32(0, 5 | (1 << 15) | (RING_EVENT_FLAGS_DESC << 16))
          checkEqual(uses(bed, 1), true, `${where}: a descriptor event that was not negotiated`)
        })
    },
  },
  {
    suite: 'ring notifications',
    title: 'a device that asked to be notified misses no chain, and what it suppresses stays suppressed',
    run(subject) {
      for (const features of [0n, featureSet(VIRTIO_F_EVENT_IDX)])
        onEveryRing(subject, { queueSize: SIZE, features }, (bed, where) => {
          const { device, driver, batch } = bed
          bed.round(() => device.disableNotification())
          bed.addSingles(1)
          driver.needsKick()
          bed.round(() => checkEqual(device.popBatch(batch, 64), 1, `${where}: chains`))
          bed.addSingles(1)
          checkEqual(driver.needsKick(), false, `${where}: a kick that was suppressed`)
          bed.round(() => {
            checkEqual(device.enableNotification(), 1, `${where}: a chain that came meanwhile`)
            checkEqual(device.popBatch(batch, 64), 1, `${where}: chains`)
            checkEqual(device.enableNotification(), 0, `${where}: an empty ring`)
          })
          bed.addSingles(1)
          checkEqual(driver.needsKick(), true, `${where}: a kick that was asked for`)
          if (!bed.split && features === 0n) checkEqual(driver.windows.device.load16(2), 0, `${where}: flags`)
        })
    },
  },
  {
    suite: 'ring notifications',
    title: 'in order, one used element stands for what was read, and each buffer that may be written has its own',
    run(subject) {
      const features = featureSet(VIRTIO_F_IN_ORDER)
      for (const kind of ['readable', 'writable'] as const)
        onEveryRing(subject, { queueSize: SIZE, features, kind }, (bed, where) => {
          bed.addSingles(3, 60, kind === 'writable')
          bed.round(() => {
            checkEqual(bed.device.popBatch(bed.batch, 64), 3, `${where}: chains`)
            checkEqual(bed.device.useBatch(bed.batch, 3), 0, `${where}: useBatch`)
          })
          const { desc, device } = bed.driver.windows
          const used = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED
          const found = bed.split ? device.load32(4 + 8 * 2) === 2 : (desc.load16(16 * 2 + 14) & used) === used
          checkEqual(found, kind === 'writable', `${where}: the third of three ${kind} buffers has an element`)
          checkEqual(bed.driver.reclaim(), 3, `${where}: used chains`)
        })
    },
  },
]

/** Serves `count` chains, without a look at what the driver asked for. */
function use(bed: RingBed, count: number): void {
  bed.addSingles(count)
  bed.round(() => {
    checkEqual(bed.device.popBatch(bed.batch, 64), count, 'chains')
    checkEqual(bed.device.useBatch(bed.batch, count), 0, 'useBatch')
  })
  check(bed.driver.reclaim() === count, 'used chains')
}

/** Serves `count` chains; is the driver notified? */
function uses(bed: RingBed, count: number): boolean {
  use(bed, count)
  return bed.round(() => bed.device.needsNotification())
}

/** The driver asks to be told when the chain of this number, counted from 0, is used. */
function setEvent({ driver, split }: RingBed, chain: number): void {
  const { driver: area } = driver.windows
  if (split) area.store16(4 + 2 * SIZE, chain)
  else area.store32(0, ((chain % SIZE) | (chain < SIZE ? 1 << 15 : 0) | (RING_EVENT_FLAGS_DESC << 16)) >>> 0)
}
