import { EFAULT } from '@vring/layout'
import { createWorld } from '@vring/testkit'
import { about, accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { forEachAccess } from './accesses.ts'

/** SMAP: user memory is open only while it is accessed. */
export const userAccessCases: readonly ConformanceCase[] = [
  {
    suite: 'user access',
    title: 'no access touches user memory while EFLAGS.AC is clear',
    run(subject) {
      const world = createWorld(subject, { frames: 'scattered', queueSize: 1024 })
      world.round(() => {
        forEachAccess((access, area) => {
          check(access.run(world.accessor[area], 0) >= 0, about`${accessOf(area, access.name)} succeeds under SMAP`)
        })
        checkEqual(
          world.accessor.device.storeWords(4092, new Uint32Array(2), 0, 2),
          0,
          'a straddling element under SMAP',
        )
      })
      checkEqual(world.smapViolations(), 0, 'SMAP violations')
    },
  },
  {
    suite: 'user access',
    title: 'stac and clac are balanced, and user memory is closed afterwards',
    run(subject) {
      const world = createWorld(subject)
      world.round(() => {
        forEachAccess((access, area) => {
          world.cpu.reset()
          access.run(world.accessor[area], 0)
          checkEqual(
            world.cpu.steps.clac,
            world.cpu.steps.stac,
            about`clac for each stac of ${accessOf(area, access.name)}`,
          )
          check(!world.cpu.ac, about`EFLAGS.AC is clear after ${accessOf(area, access.name)}`)
        })
      })
    },
  },
  {
    suite: 'user access',
    title: 'stac and clac are balanced on a fault too',
    run(subject) {
      const world = createWorld(subject)
      for (const area of ['desc', 'driver', 'device'] as const) world.unmap(area)
      world.round(() => {
        forEachAccess((access, area) => {
          world.cpu.reset()
          checkEqual(
            access.run(world.accessor[area], 0),
            EFAULT,
            about`${accessOf(area, access.name)} of unmapped memory`,
          )
          checkEqual(
            world.cpu.steps.clac,
            world.cpu.steps.stac,
            about`clac for each stac of ${accessOf(area, access.name)}`,
          )
          check(!world.cpu.ac, about`EFLAGS.AC is clear after ${accessOf(area, access.name)}`)
        })
      })
    },
  },
]
