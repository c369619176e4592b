import { AREAS } from '@vring/layout'
import { createWorld } from '@vring/testkit'
import { about, accessOf, areaOf } from '../about.ts'
import { type ConformanceCase, checkEqual } from '../conformance-case.ts'
import { expectAgreement } from './accesses.ts'

/** The kernel moves pages for reasons of its own. */
export const pageChangeCases: readonly ConformanceCase[] = [
  {
    suite: 'page changes',
    title: 'M24: copy-on-write after fork is followed, by a first write of either side',
    run(subject) {
      const world = createWorld(subject)
      world.fill(11)
      world.round(() => {
        expectAgreement(world)
        world.fork()
        for (const area of AREAS) {
          world.driver.store16(area, 0, 0x00ff)
          checkEqual(
            world.accessor[area].load16(0),
            0x00ff,
            about`${accessOf(area, 'load16')} after the driver broke the sharing`,
          )
        }
        world.fork()
        checkEqual(
          world.accessor.device.store16(2, 0x0abc),
          0,
          about`${accessOf('device', 'store16')} of a page shared by fork`,
        )
        checkEqual(world.driver.load16('device', 2), 0x0abc, 'used.idx after the device broke the sharing')
      })
    },
  },
  {
    suite: 'page changes',
    title: 'pages that were swapped out come back',
    run(subject) {
      const world = createWorld(subject)
      world.fill(12)
      const before = AREAS.map((area) => [...world.driver.bytes(area)])
      for (const area of AREAS) world.swapOut(area)
      world.round(() => {
        for (const [index, area] of AREAS.entries())
          for (let offset = 0; offset + 2 <= world.ring[area].length; offset += 2)
            checkEqual(
              world.accessor[area].load16(offset),
              before[index]![offset]! | (before[index]![offset + 1]! << 8),
              about`${areaOf(area)} at ${offset} after swap`,
            )
        checkEqual(world.accessor.device.store16(2, 77), 0, about`${accessOf('device', 'store16')} after swap`)
      })
      checkEqual(world.driver.load16('device', 2), 77, 'used.idx')
    },
  },
]
