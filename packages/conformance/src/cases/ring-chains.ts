import {
  featureSet,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import { ChainBatch, type TakenChain } from '@vring/virtqueue'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { onEveryRing, type RingBed } from './ring-bed.ts'

const AVAIL = VIRTQ_DESC_F_AVAIL
const NEXT = VIRTQ_DESC_F_NEXT
const USED = VIRTQ_DESC_F_USED

/** What a device makes of chains, whatever loop of the ring meets them. */
export const ringChainCases: readonly ConformanceCase[] = [
  {
    suite: 'ring chains',
    title: 'descriptors of no bytes leave no segment, whatever stands around them',
    run(subject) {
      for (const before of [0, 1, 3])
        onEveryRing(subject, {}, (bed, where) => {
          bed.addSingles(before, 10)
          for (const lengths of [[0], [20], [5, 0, 6]]) bed.addChain(...lengths)
          bed.driver.publish()
          checkEqual(bed.pop(), before + 3, `${where}: chains`)
          const singles = [[10], [11], [12]].slice(0, before)
          checkEqual(bed.lengths(), [...singles, [], [20], [5, 6]], `${where}: lengths`)
        })
      onEveryRing(subject, {}, (bed, where) => {
        for (const length of [0, 20]) bed.addChain(length)
        bed.driver.publish()
        checkEqual(bed.pop(), 2, `${where}: chains, of which the first is empty and nothing stands after the second`)
      })
    },
  },
  {
    suite: 'ring chains',
    title:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
    run(subject) {
      onEveryRing(subject, {}, (bed, where) => {
        const { device, driver, batch, heap } = bed
        bed.addSingles(1)
        bed.addChain(1, 2)
        bed.addSingles(1)
        bed.addTable(heap + 0x1000, 3, 10)
        driver.publish()
        checkEqual(bed.pop(), 4, `${where}: chains`)
        checkEqual([batch.descriptors, batch.uniform], [1 + 2 + 1 + (1 + 3), false], `${where}: descriptors`)
        bed.round(() => checkEqual(device.useBatch(batch, 4), 0, `${where}: useBatch`))
        driver.reclaim()
        bed.addSingles(5, 30)
        checkEqual(bed.pop(4), 4, `${where}: chains`)
        checkEqual(bed.lengths(), [[30], [31], [32], [33]], `${where}: lengths of a batch after one of every kind`)
      })
      onEveryRing(subject, {}, (bed, where) => {
        const { device, driver, heap, cpu } = bed
        const ring = bed.placeOf('driver')
        for (const batch of [new ChainBatch(2), new ChainBatch(3)]) {
          const tables = batch.capacity === 2
          if (tables) bed.addTable(heap + 0x1000, 80, 1)
          if (tables) bed.addTable(heap + 0x2000, 80, 1)
          else bed.addSingles(5)
          driver.publish()
          const expected = tables ? [1, 1] : [3, 2]
          for (const taken of expected)
            bed.round(() => {
              cpu.reset()
              checkEqual(device.popBatch(batch, 64), taken, `${where}: chains of a batch that is full`)
              const entries = cpu.recorded.filter(
                ({ step, at }) => step === 'load' && at >= ring.start + 4 && at < ring.end,
              )
              if (bed.split && !tables)
                checkEqual(entries.length, taken, `${where}: avail entries that were loaded for ${taken} chains`)
              checkEqual(device.useBatch(batch, taken), 0, `${where}: useBatch`)
            })
          driver.reclaim()
        }
      })
    },
  },
  {
    suite: 'ring chains',
    title: 'an indirect table may lie anywhere, across pages too, and user memory is closed after it',
    run(subject) {
      for (const cut of [17, 24])
        onEveryRing(subject, { frames: 'scattered' }, (bed, where) => {
          bed.addTable(bed.heap + 0x1000 - cut, 3, 100)
          bed.driver.publish()
          checkEqual(bed.pop(), 1, `${where}: chains`)
          checkEqual(bed.lengths(), [[100, 101, 102]], `${where}: lengths`)
          checkEqual(bed.cpu.ac, false, `${where}: EFLAGS.AC after a table was read`)
          checkEqual(bed.world.smapViolations(), 0, `${where}: SMAP violations`)
        })
    },
  },
  {
    suite: 'ring chains',
    title:
      'VirtIO 1.3 2.8.1, 2.8.6, 2.8.7: which packed descriptor is available, whose id counts, which flags of a table do',
    run(subject) {
      onEveryRing(subject, { only: 'packed' }, (bed, where) => {
        for (const [flags, available] of [
          [0, 0],
          [USED, 0],
          [AVAIL | USED, 0],
          [AVAIL, 1],
        ] as const) {
          bed.writeDescriptor(0, bed.heap, 60, flags << 16)
          checkEqual(bed.pop(), available, `${where}: chains with flags 0x${flags.toString(16)}`)
        }
      })
      onEveryRing(subject, { only: 'packed' }, (bed, where) => {
        bed.writeDescriptor(1, bed.heap, 60, 5 | (AVAIL << 16))
        bed.writeDescriptor(0, bed.heap, 60, 3 | ((AVAIL | NEXT) << 16))
        checkEqual(bed.pop(), 1, `${where}: chains`)
        checkEqual(bed.batch.idOf(0), 5, `${where}: id of a chain, that of its last descriptor`)
      })
      onEveryRing(subject, { only: 'packed' }, (bed, where) => {
        for (const entry of [0, 1])
          bed.writeTable(bed.heap, entry, bed.heap, 7 + entry, 0x1234 | ((0xffff & ~VIRTQ_DESC_F_WRITE) << 16))
        bed.driver.addIndirect(bed.heap, 2)
        bed.driver.publish()
        checkEqual(bed.pop(), 1, `${where}: chains`)
        checkEqual(bed.lengths(), [[7, 8]], `${where}: a table whose flags but WRITE are set`)
      })
    },
  },
  {
    suite: 'ring chains',
    title: 'a packed ring gives no more entries than were published, to a batch and to a chain',
    run(subject) {
      onEveryRing(subject, { only: 'packed', queueSize: 4 }, (bed, where) => {
        const { cpu, driver } = bed
        bed.addChain(1, 2, 3)
        bed.addSingles(1)
        const last = bed.placeOf('desc').start + 3 * 16
        // As soon as the last entry is looked at the first is available again, in the next lap.
        cpu.onLoad = (_, at) => {
          if (at >= last && at < last + 16) driver.windows.desc.store16Release(14, USED)
        }
        const taken = bed.pop()
        cpu.onLoad = null
        checkEqual(taken, 2, `${where}: chains of a batch that takes the whole ring`)
      })
      onEveryRing(subject, { only: 'packed', queueSize: 4 }, (bed, where) => {
        bed.addSingles(2)
        checkEqual(bed.pop(), 2, `${where}: chains`)
        for (const slot of [2, 3]) bed.writeDescriptor(slot, bed.heap, 60, (AVAIL | NEXT) << 16)
        check(bed.pop() < 0, `${where}: a chain over entries that are not used yet is refused`)
        checkEqual(bed.device.broken, 'chain-too-long', `${where}: broken`)
      })
    },
  },
  {
    suite: 'ring chains',
    title: 'another queue goes on from the base of the one before; a base that no ring has is refused',
    run(subject) {
      for (const order of [0n, featureSet(VIRTIO_F_IN_ORDER)])
        onEveryRing(subject, { features: featureSet(VIRTIO_F_INDIRECT_DESC) | order }, (bed, where) => {
          const { device, driver, batch } = bed
          serve(bed, 3, where)
          const next = bed.otherDevice()
          bed.round(() => checkEqual(next.start(device.base), 0, `${where}: start`))
          bed.addSingles(2)
          bed.round(() => {
            checkEqual(next.popBatch(batch, 64), 2, `${where}: chains`)
            checkEqual(next.useBatch(batch, 2), 0, `${where}: useBatch`)
          })
          checkEqual(driver.reclaim(), 2, `${where}: used chains`)
        })
      onEveryRing(subject, { only: 'packed' }, (bed, where) => {
        const at = (avail: number, used: number): number => (avail | 0x8000 | ((used | 0x8000) << 16)) >>> 0
        for (const base of [at(8, 0), at(0, 8), at(1, 2)])
          check(bed.otherDevice().start(base) < 0, `${where}: a start at base 0x${base.toString(16)} is refused`)
      })
    },
  },
  {
    suite: 'ring chains',
    title:
      'a chain that was taken before is recalled as it was; what is none is refused, and the queue not broken by it',
    run(subject) {
      onEveryRing(subject, {}, (bed, where) => {
        const { device, driver, batch, split } = bed
        bed.addChain(5, 6)
        driver.publish()
        checkEqual(bed.pop(), 1, `${where}: chains`)
        const kept = [0, 1].flatMap((index) => wordsOf(bed, index))
        const recall = (taken: TakenChain): number => bed.round(() => device.recall(batch, taken))
        checkEqual(recall(split ? batch.idOf(0) : Uint32Array.from(kept)), 1, `${where}: recall`)
        checkEqual(bed.lengths(), [[5, 6]], `${where}: lengths`)
        // Beyond the ring; shorter than it was kept; none; of more entries than the ring.
        const wrong = split
          ? [8, 0xffff]
          : [[...kept, ...kept], [], Array(9 * 4).fill(0)].map((words) => Uint32Array.from(words))
        for (const one of wrong) check(recall(one) < 0, `${where}: a chain that is none is refused`)
        checkEqual(device.broken, null, `${where}: broken`)
        device.latch('avail-idx-jump')
        check(recall(split ? 0 : Uint32Array.from(kept)) < 0, `${where}: a broken queue recalls nothing`)
      })
    },
  },
]

/** A descriptor of the ring as it stands there. */
function wordsOf({ driver }: RingBed, index: number): number[] {
  const words = new Uint32Array(4)
  driver.windows.desc.loadWords(16 * index, words, 0, 4)
  return [...words]
}

/** Serves chains of one buffer each, to the end. */
function serve(bed: RingBed, count: number, where: string): void {
  bed.addSingles(count)
  bed.round(() => {
    checkEqual(bed.device.popBatch(bed.batch, 64), count, `${where}: chains`)
    checkEqual(bed.device.useBatch(bed.batch, count), 0, `${where}: useBatch`)
  })
  checkEqual(bed.driver.reclaim(), count, `${where}: used chains`)
}
