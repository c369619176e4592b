import { EFAULT } from '@vring/layout'
import { createWorld } from '@vring/testkit'
import { about, accessOf } from '../about.ts'
import { type ConformanceCase, checkEqual } from '../conformance-case.ts'
import { forEachAccess } from './accesses.ts'

/** What the address space permits, as it permits it now. */
export const permissionCases: readonly ConformanceCase[] = [
  {
    suite: 'permissions',
    title: 'memory without any permission is -EFAULT for every access',
    run(subject) {
      const world = createWorld(subject)
      for (const area of ['desc', 'driver', 'device'] as const) world.protect(area, 'none')
      world.round(() => {
        forEachAccess((access, area) => {
          checkEqual(
            access.run(world.accessor[area], 0),
            EFAULT,
            about`${accessOf(area, access.name)} of PROT_NONE memory`,
          )
        })
      })
    },
  },
  {
    suite: 'permissions',
    title: 'a store to read-only memory is -EFAULT and changes nothing; a load works',
    run(subject) {
      const world = createWorld(subject)
      world.fill(6)
      const before = [...world.driver.bytes('device')]
      world.protect('device', 'read')
      world.round(() => {
        forEachAccess((access, area) => {
          if (access.store)
            checkEqual(
              access.run(world.accessor[area], 8),
              EFAULT,
              about`${accessOf(area, access.name)} of read-only memory`,
            )
        })
        checkEqual(
          world.accessor.device.load16(2),
          world.driver.load16('device', 2),
          about`${accessOf('device', 'load16')} of read-only memory`,
        )
      })
      checkEqual([...world.driver.bytes('device')], before, 'the used ring after refused stores')
    },
  },
  {
    suite: 'permissions',
    title: 'a permission that is taken away during a round holds at once',
    run(subject) {
      const world = createWorld(subject)
      world.round(() => {
        checkEqual(world.accessor.device.store16(2, 1), 0, about`${accessOf('device', 'store16')} of writable memory`)
        world.protect('device', 'read')
        checkEqual(world.accessor.device.store16(2, 2), EFAULT, about`${accessOf('device', 'store16')} after mprotect`)
        world.protect('device', 'read-write')
        checkEqual(
          world.accessor.device.store16(2, 3),
          0,
          about`${accessOf('device', 'store16')} after the permission came back`,
        )
      })
      checkEqual(world.driver.load16('device', 2), 3, 'used.idx')
    },
  },
]
