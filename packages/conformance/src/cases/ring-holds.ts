import type { Accessor, RecordedStep } from '@vring/accessor'
import { AREAS } from '@vring/layout'
import { ChainBatch } from '@vring/virtqueue'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { onEveryRing, type RingBed } from './ring-bed.ts'
import { watchHolds } from './ring-guards.ts'

/** Chains that one hold of a lease may read or publish. Source: HOLD_CHAINS of virtqueue. */
const HOLD_CHAINS = 64

/** Steps of the port while ring memory may be reached: numbers of the first and of the one after the last. */
type Span = readonly [from: number, to: number]

/** Sees when a ring holds its lease, and when it is in a window. */
class Supervisor {
  held = false
  holds = 0
  /** In a window, or holding. */
  readonly reaching: Span[] = []
  #from = 0

  /** The accessor, watched. */
  over(accessor: Accessor, { cpu }: RingBed): Accessor {
    return watchHolds(accessor, {
      hold: () => {
        check(!this.held, 'a ring holds the lease once at a time')
        this.held = true
        this.holds++
        this.#from = cpu.recorded.length
      },
      release: () => {
        check(this.held, 'a ring releases what it holds')
        this.held = false
        this.reaching.push([this.#from, cpu.recorded.length])
      },
      access: (access, run) => {
        check(!this.held, `${access} of a window inside a hold`)
        const from = cpu.recorded.length
        const found = run()
        this.reaching.push([from, cpu.recorded.length])
        return found
      },
    })
  }

  /** Steps that reached ring memory in no window and no hold. */
  strayed(bed: RingBed): RecordedStep[] {
    const areas = AREAS.map((area) => bed.placeOf(area))
    return bed.cpu.recorded.filter(
      ({ step, at }, index) =>
        (step === 'load' || step === 'store') &&
        areas.some(({ start, end }) => at >= start && at < end) &&
        !this.reaching.some(([from, to]) => index >= from && index < to),
    )
  }
}

/** What a ring does with the lease of its accessor. */
export const ringHoldCases: readonly ConformanceCase[] = [
  {
    suite: 'ring holds',
    title: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
    run(subject) {
      const supervisor = new Supervisor()
      onEveryRing(subject, { accessor: (accessor, bed) => supervisor.over(accessor, bed) }, (bed, where) => {
        const { device, driver, batch, cpu, heap } = bed
        const use = (chains: number, oneByOne: boolean): void => {
          bed.round(() => {
            checkEqual(device.popBatch(batch, 64), chains, `${where}: chains`)
            if (oneByOne) for (let chain = 0; chain < chains; chain++) device.push(batch, chain, 0)
            checkEqual(oneByOne ? device.flush() : device.useBatch(batch, chains), 0, `${where}: publish`)
            device.needsNotification()
            device.enableNotification()
            checkEqual(supervisor.held, false, `${where}: held at the end of a round`)
          })
          checkEqual(driver.reclaim(), chains, `${where}: used chains`)
        }
        for (let lap = 0; lap < 4; lap++) {
          cpu.reset()
          supervisor.reaching.length = 0
          bed.addSingles(5)
          use(5, false)
          bed.addSingles(2)
          bed.addChain(1, 2)
          bed.addTable(heap + 0x1000, 2, 10)
          driver.publish()
          use(4, lap % 2 === 1)
          const [stray] = supervisor.strayed(bed)
          check(stray === undefined, `${where}: a ${stray?.step} of ring memory outside of every hold and window`)
        }
      })
    },
  },
  {
    suite: 'ring holds',
    title: 'one hold reads 64 chains at most, and publishes no more',
    run(subject) {
      const supervisor = new Supervisor()
      onEveryRing(
        subject,
        { queueSize: 256, accessor: (accessor, bed) => supervisor.over(accessor, bed) },
        (bed, where) => {
          const { device, driver } = bed
          if (device.accessor.lease === null) return
          const batch = new ChainBatch(200)
          bed.addSingles(200)
          bed.round(() => {
            supervisor.holds = 0
            checkEqual(device.popBatch(batch, 200), 200, `${where}: chains`)
            checkEqual(supervisor.holds, Math.ceil(200 / HOLD_CHAINS), `${where}: holds that read 200 chains`)
            supervisor.holds = 0
            checkEqual(device.useBatch(batch, 200), 0, `${where}: useBatch`)
            checkEqual(supervisor.holds, 0, `${where}: holds that publish 200 chains`)
          })
          checkEqual(driver.reclaim(), 200, `${where}: used chains`)
        },
      )
    },
  },
]
