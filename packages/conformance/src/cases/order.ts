import type { RecordedStep } from '@vring/accessor'
import { createWorld, type World } from '@vring/testkit'
import { about, accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { ACCESSES } from './accesses.ts'

/** What the other side can see, and in which order. */
export const orderCases: readonly ConformanceCase[] = [
  {
    suite: 'order',
    title: 'VirtIO 1.3 2.7.8.2: used elements are stored before the index that publishes them',
    run(subject) {
      const world = createWorld(subject)
      world.round(() => {
        world.cpu.reset()
        world.accessor.device.storeWords(4, Uint32Array.of(1, 2, 3, 4), 0, 4)
        const elements = steps(world, 'store').length
        check(elements > 0, 'storeWords stores before it returns')
        world.accessor.device.store16Release(2, 2)
        const stores = steps(world, 'store')
        checkEqual(stores.length, elements + 1, 'stores of the elements and the index')
        check(stores.at(-1)!.ordered, 'the index is stored with release order')
        checkEqual(stores.at(-1)!.length, 2, 'bytes of the index store')
      })
      checkEqual(world.driver.load16('device', 2), 2, 'used.idx')
    },
  },
  {
    suite: 'order',
    title: 'only release stores and acquire loads are ordered, and they are',
    run(subject) {
      const world = createWorld(subject)
      world.round(() => {
        for (const { name, areas, run } of ACCESSES)
          for (const area of areas) {
            world.cpu.reset()
            run(world.accessor[area], 0)
            const ordered = world.cpu.recorded.filter((step) => step.ordered).length
            const expected = name === 'load16Acquire' || name === 'store16Release' ? 1 : 0
            checkEqual(ordered, expected, about`ordered accesses of ${accessOf(area, name)}`)
          }
      })
    },
  },
  {
    suite: 'order',
    title: 'every byte is fetched once: no check is followed by a second fetch',
    run(subject) {
      const world = createWorld(subject)
      world.round(() => {
        for (const { name, areas, length, store, run } of ACCESSES)
          for (const area of areas) {
            world.cpu.reset()
            run(world.accessor[area], 0)
            const touched = steps(world, store ? 'store' : 'load')
            checkEqual(bytesOf(touched), length, about`bytes that ${accessOf(area, name)} touches`)
            checkEqual(
              new Set(touched.map(({ at }) => at)).size,
              touched.length,
              about`addresses of ${accessOf(area, name)}`,
            )
            checkEqual(
              steps(world, store ? 'load' : 'store').length,
              0,
              about`${store ? 'loads' : 'stores'} of ${accessOf(area, name)}`,
            )
          }
      })
    },
  },
  {
    suite: 'order',
    title: 'a scalar is one access of its width',
    run(subject) {
      const world = createWorld(subject)
      world.round(() => {
        for (const { name, areas, length, store, run } of ACCESSES) {
          if (length > 4) continue
          for (const area of areas) {
            world.cpu.reset()
            run(world.accessor[area], 0)
            const touched = steps(world, store ? 'store' : 'load')
            checkEqual(
              touched.map((step) => step.length),
              [length],
              about`accesses of ${accessOf(area, name)}`,
            )
          }
        }
      })
    },
  },
  {
    suite: 'order',
    title: 'a load sees the newest store of the driver, also within a round',
    run(subject) {
      const world = createWorld(subject)
      const out = new Uint32Array(4)
      world.round(() => {
        for (const value of [1, 0xffff, 0, 0x8000]) {
          world.driver.store16('driver', 2, value)
          checkEqual(
            world.accessor.driver.load16(2),
            value,
            about`${accessOf('driver', 'load16')} after a store of the driver`,
          )
          checkEqual(
            world.accessor.driver.load16Acquire(2),
            value,
            about`${accessOf('driver', 'load16Acquire')} after a store of the driver`,
          )
          world.driver.store32('desc', 20, value)
          checkEqual(
            world.accessor.desc.load32(20),
            value,
            about`${accessOf('desc', 'load32')} after a store of the driver`,
          )
          world.accessor.desc.loadWords(16, out, 0, 4)
          checkEqual(out[1], value, 'a descriptor after a store of the driver')
        }
      })
    },
  },
  {
    suite: 'order',
    title: 'a store is visible when it returns',
    run(subject) {
      const world = createWorld(subject)
      world.round(() => {
        world.accessor.device.store32(8, 0x1234_5678)
        checkEqual(
          world.driver.load32('device', 8),
          0x1234_5678,
          about`${accessOf('device', 'store32')}, before the round ends`,
        )
        world.accessor.device.store16(0, 1)
        checkEqual(world.driver.load16('device', 0), 1, about`${accessOf('device', 'store16')}, before the round ends`)
        world.accessor.device.storeWords(4, Uint32Array.of(5, 6), 0, 2)
        checkEqual(
          world.driver.load32('device', 8),
          6,
          about`${accessOf('device', 'storeWords')}, before the round ends`,
        )
      })
    },
  },
]

function steps(world: World, step: RecordedStep['step']): RecordedStep[] {
  return world.cpu.recorded.filter((recorded) => recorded.step === step)
}

function bytesOf(recorded: readonly RecordedStep[]): number {
  return recorded.reduce((sum, { length }) => sum + length, 0)
}
