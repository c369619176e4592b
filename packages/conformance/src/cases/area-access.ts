import { EFAULT, mayRead, mayWrite } from '@vring/layout'
import { createWorld, type WorldOptions } from '@vring/testkit'
import { about, accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { anyAreaAccesses } from './accesses.ts'

/** What a packed ring does with its areas: the descriptor area is written, the device area only written. */
const PACKED: WorldOptions = { access: { desc: 'read-write', driver: 'read', device: 'write' } }

/** The area's `access` decides: not its name. */
export const areaAccessCases: readonly ConformanceCase[] = [
  {
    suite: 'area access',
    title: 'an area is reached as its access says, and no other way',
    run(subject) {
      for (const options of [{}, PACKED]) {
        const world = createWorld(subject, options)
        world.fill(40)
        world.round(() => {
          for (const { access, area } of anyAreaAccesses()) {
            const permitted = access.store ? mayWrite(world.ring[area]) : mayRead(world.ring[area])
            const before = [...world.driver.bytes(area)]
            const status = access.run(world.accessor[area], 0)
            const what = about`${accessOf(area, access.name)} of an area that is ${world.ring[area].access}`
            if (permitted) check(status >= 0, about`${what} works, not ${status}`)
            else {
              checkEqual(status, EFAULT, what)
              checkEqual([...world.driver.bytes(area)], before, about`bytes after ${what}`)
            }
          }
        })
      }
    },
  },
  {
    suite: 'area access',
    title: 'an area that is written must be writable, whatever its name',
    run(subject) {
      const world = createWorld(subject, PACKED)
      world.fill(41)
      const before = [...world.driver.bytes('desc')]
      world.protect('desc', 'read')
      world.round(() => {
        for (const { access, area } of anyAreaAccesses())
          if (area === 'desc' && access.store)
            checkEqual(
              access.run(world.accessor.desc, 8),
              EFAULT,
              about`${accessOf('desc', access.name)} of read-only memory`,
            )
        checkEqual(world.accessor.lease?.hold() ?? false, false, 'a hold over memory that may not be written')
      })
      checkEqual([...world.driver.bytes('desc')], before, 'the descriptor area after refused stores')
    },
  },
  {
    suite: 'area access',
    title: 'what is stored in an area is not lost when its page is reclaimed, whatever its name',
    run(subject) {
      const world = createWorld(subject, PACKED)
      world.fill(42)
      world.swapOut('desc')
      world.driver.bytes('desc')
      world.round(() => checkEqual(world.accessor.desc.store16(2, 0x0bad), 0, accessOf('desc', 'store16')))
      world.swapOut('desc')
      checkEqual(world.driver.load16('desc', 2), 0x0bad, 'the word after reclaim')
    },
  },
]
