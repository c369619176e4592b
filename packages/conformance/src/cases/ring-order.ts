import type { OnLoad, RecordedStep } from '@vring/accessor'
import {
  AREAS,
  PACKED_DESC_BYTES,
  PACKED_DESC_FLAGS_OFFSET,
  PACKED_DESC_ID_OFFSET,
  PACKED_DESC_LEN_OFFSET,
} from '@vring/layout'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { BoundedCpu, onEveryRing, type RingBed } from './ring-bed.ts'

/** The order that rings of both formats owe the driver, through whatever steps the accessor takes. */
export const ringOrderCases: readonly ConformanceCase[] = [
  {
    suite: 'ring order',
    title:
      'what makes chains available is loaded first, with acquire or a read barrier; the rest follows, unordered and once',
    run(subject) {
      onEveryRing(subject, {}, (bed, where) => {
        bed.addSingles(3)
        bed.cpu.reset()
        checkEqual(
          bed.round(() => bed.device.popBatch(bed.batch, 3)),
          3,
          `${where}: chains`,
        )
        const steps = accesses(bed)
        const loads = steps.filter(({ step }) => step === 'load')
        const barrier = steps.findIndex(({ step }) => step === 'rmb')
        if (bed.split || barrier < 0) checkAcquires(loads, bed.split ? 1 : 3, where)
        else checkBarrier(steps, barrier, bed.placeOf('desc').start, where)
        checkEqual(
          new Set(loads.map(({ at }) => at)).size,
          loads.length,
          `${where}: addresses that loads are made of, one each`,
        )
      })
    },
  },
  {
    suite: 'ring order',
    title: 'what publishes used chains is the last store, with release, and the only one that is ordered',
    run(subject) {
      for (const [writable, pushed] of [
        [false, false],
        [true, true],
        [true, false],
      ] as const)
        onEveryRing(subject, { kind: writable ? 'writable' : 'readable' }, (bed, where) => {
          const { device, batch, cpu } = bed
          bed.addSingles(3, 60, writable)
          bed.round(() => {
            checkEqual(device.popBatch(batch, 64), 3, `${where}: chains`)
            cpu.reset()
            for (let chain = 0; pushed && chain < 3; chain++) device.push(batch, chain, 7)
            checkEqual(pushed ? device.flush() : device.useBatch(batch, 3), 0, `${where}: publishing`)
          })
          const steps = accesses(bed)
          const stores = steps.filter(({ step }) => step === 'store')
          checkEqual(
            stores.map(({ ordered }) => ordered),
            stores.map((_, index) => index === stores.length - 1),
            `${where}: which stores are ordered`,
          )
          if (!bed.split) checkPackedStores(steps, writable, bed.placeOf('desc').start, where)
        })
    },
  },
  {
    suite: 'ring order',
    title: 'a full barrier stands before the look at what the driver asks for, and before the second look',
    run(subject) {
      onEveryRing(subject, {}, (bed, where) => {
        const { device, cpu } = bed
        bed.round(() => {
          device.needsNotification()
          cpu.reset()
          device.needsNotification()
          checkEqual(names(bed), ['mb', 'load'], `${where}: needsNotification`)
          cpu.reset()
          checkEqual(device.enableNotification(), 0, `${where}: enableNotification of an empty ring`)
          checkEqual(names(bed), ['store', 'mb', 'load'], `${where}: enableNotification`)
          check(accesses(bed).at(-1)!.ordered, `${where}: the second look is an acquire`)
        })
      })
    },
  },
  {
    suite: 'ring order',
    title: 'a driver that changes every word once it was loaded changes nothing',
    run(subject) {
      // Of a chain that a loop over a lease stops at nothing is kept, so that each kind has a ring of its own.
      for (const kind of ['single', 'chain', 'table'] as const) {
        const cpu = new BoundedCpu()
        onEveryRing(subject, { cpu }, (bed, where) => {
          if (kind === 'single') bed.addSingles(2, 100)
          else if (kind === 'chain')
            bed.driver.add([100, 101].map((length) => ({ address: bed.heap, length, writable: false })))
          else bed.addTable(bed.heap + 0x1000, 2, 100)
          bed.driver.publish()
          // By lease the loop stops at a chain, which is then loaded a second time: changed by then, it may be refused.
          if (kind !== 'single' && bed.device.accessor.lease !== null) return
          cpu.onLoad = changeLoaded
          const popped = bed.round(() => bed.device.popBatch(bed.batch, kind === 'single' ? 2 : 1))
          cpu.onLoad = null
          checkEqual(popped, kind === 'single' ? 2 : 1, `${where}: chains`)
          checkEqual([...bed.batch.length.subarray(0, 2)], [100, 101], `${where}: lengths of a ${kind}`)
          check(bed.batch.idOf(0) < 8, `${where}: an id in the ring`)
        })
      }
    },
  },
  {
    suite: 'ring order',
    title: 'a mispredicted check of an index leads to no look outside of ring and buffers',
    run(subject) {
      for (const bad of [8, 0x7ff7, 0xfff7]) {
        const cpu = new MispredictingCpu()
        onEveryRing(subject, { device: { cpu } }, (bed, where) => {
          const { driver, desc } = bed.driver.windows
          bed.addSingles(1)
          bed.addChain(1, 2)
          bed.driver.publish()
          if (bed.split) {
            driver.store16(4, bad)
            desc.store16(16 + 14, bad)
          } else desc.store16(12, bad)
          cpu.reset()
          bed.cpu.reset()
          cpu.mispredicts = true
          bed.pop()
          cpu.mispredicts = false
          const places = [...AREAS.map((area) => bed.placeOf(area)), bed.placeOf('heap')]
          const addresses = AREAS.flatMap((area) => [bed.world.ring[area], bed.world.driverRing[area]])
          const inside = ({ step, at }: RecordedStep): boolean =>
            step === 'walk'
              ? addresses.some(({ address, length }) => at >= address && at < address + length)
              : places.some(({ start, end }) => at >= start && at < end)
          const looks = [...cpu.recorded, ...bed.cpu.recorded].filter(({ step }) => step === 'load' || step === 'walk')
          const [stray] = looks.filter((look) => !inside(look))
          check(stray === undefined, `${where}: index ${bad} leads to a ${stray?.step} at ${stray?.at}`)
          check(looks.length > 0, `${where}: something is loaded`)
        })
      }
    },
  },
]

/** The first load of each chain that is made available by itself is an acquire, and no other is one. */
function checkAcquires(loads: readonly RecordedStep[], count: number, where: string): void {
  const ordered = loads.filter((one) => one.ordered)
  check(loads[0]!.ordered, `${where}: the first load is an acquire`)
  checkEqual(ordered.length, count, `${where}: acquire loads`)
  if (count === 1) return
  for (const { at } of ordered) {
    const first = loads.find((one) => one.at >= at - PACKED_DESC_FLAGS_OFFSET && one.at < at + 2)!
    check(first.ordered, `${where}: flags are loaded before the rest of their descriptor`)
  }
}

/** Before the read barrier stand loads of flags, of all chains, and nothing else; after it none of them. */
function checkBarrier(steps: readonly RecordedStep[], barrier: number, start: number, where: string): void {
  const isFlags = ({ at }: RecordedStep): boolean => (at - start) % PACKED_DESC_BYTES === PACKED_DESC_FLAGS_OFFSET
  const before = steps.slice(0, barrier)
  check(before.length >= 3, `${where}: flags of all chains stand before the read barrier`)
  check(before.every(isFlags), `${where}: nothing but flags is loaded before the read barrier`)
  check(!steps.slice(barrier + 1).some(isFlags), `${where}: no flags are loaded after the read barrier`)
  check(!steps.some(({ ordered }) => ordered), `${where}: with a read barrier no load is an acquire`)
}

/**
 * Flags stand after what they stand for: the id, in one word with them or before, and where something may have been written
 * the length, with a write barrier between.
 */
function checkPackedStores(steps: readonly RecordedStep[], writable: boolean, start: number, where: string): void {
  const fields = (part: readonly RecordedStep[]): string[] =>
    part
      .filter(({ step }) => step === 'store')
      .flatMap(({ at, length }) =>
        FIELDS.filter(
          ([, from]) => from >= (at - start) % PACKED_DESC_BYTES && from < ((at - start) % PACKED_DESC_BYTES) + length,
        ),
      )
      .map(([name]) => name)
  const slotOf = ({ at }: RecordedStep): number => Math.floor((at - start) / PACKED_DESC_BYTES)
  const barrier = steps.findIndex(({ step }) => step === 'wmb')
  if (writable) {
    check(barrier >= 0, `${where}: a write barrier stands before the flags`)
    checkEqual(
      fields(steps.slice(0, barrier)).filter((name) => name === 'length').length,
      3,
      `${where}: lengths before the write barrier`,
    )
    check(!fields(steps.slice(0, barrier)).includes('flags'), `${where}: no flags are stored before the write barrier`)
  }
  for (let slot = 0; slot < 3; slot++) {
    const order = steps.filter((one) => one.step === 'store' && slotOf(one) === slot)
    const stored = order.map((one) => fields([one]))
    check(stored.at(-1)!.includes('flags'), `${where}: of descriptor ${slot} the flags are stored last`)
    checkEqual(
      stored.flat().filter((name) => name === 'id').length,
      1,
      `${where}: stores of the id of descriptor ${slot}`,
    )
    checkEqual(
      stored.flat().filter((name) => name === 'flags').length,
      1,
      `${where}: stores of the flags of descriptor ${slot}`,
    )
  }
}

/** A port that takes every check as passed. */
class MispredictingCpu extends BoundedCpu {
  mispredicts = false

  override predict(condition: boolean): boolean {
    return super.predict(condition) || this.mispredicts
  }
}

/** The driver changes every byte as soon as it was loaded. */
const changeLoaded: OnLoad = ({ buffer, byteOffset }, at, length) => {
  const bytes = new Uint8Array(buffer, byteOffset + at, length)
  for (let byte = 0; byte < length; byte++) bytes[byte]! ^= 0xff
}

/** Fields of a packed descriptor that a device stores, and their offsets. */
const FIELDS = [
  ['length', PACKED_DESC_LEN_OFFSET],
  ['id', PACKED_DESC_ID_OFFSET],
  ['flags', PACKED_DESC_FLAGS_OFFSET],
] as const

const ACCESSES: readonly RecordedStep['step'][] = ['load', 'store', 'mb', 'rmb', 'wmb']

/** Loads, stores and barriers since the last reset, in order. */
function accesses({ cpu }: RingBed): RecordedStep[] {
  return cpu.recorded.filter(({ step }) => ACCESSES.includes(step))
}

function names(bed: RingBed): string[] {
  return accesses(bed).map(({ step }) => step)
}
