import { AREAS, errnoName } from '@vring/layout'
import { createWorld } from '@vring/testkit'
import { about, accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { forEachAccess } from './accesses.ts'

/** "Which mode ran which code" is answered by reading counters, so they must add up. */
export const counterCases: readonly ConformanceCase[] = [
  {
    suite: 'counters',
    title: 'every access is counted once, in its area, by the end of the round',
    run(subject) {
      const world = createWorld(subject)
      world.fill(15)
      world.accessor.counters.reset()
      const expected = { desc: 0, driver: 0, device: 0 }
      for (let round = 0; round < 3; round++)
        world.round(() => {
          forEachAccess((access, area) => {
            access.run(world.accessor[area], 0)
            expected[area]++
          })
        })
      const found = { desc: 0, driver: 0, device: 0 }
      for (const [key, count] of Object.entries(world.accessor.counters.snapshot())) {
        const area = AREAS.find((name) => key.startsWith(`${name}.`))
        check(area !== undefined, `${key} begins with the name of an area`)
        check(/^\w+\.(direct|copy|translated|fallback:[a-z-]+)$/.test(key), `${key} names a mode`)
        check(Number.isInteger(count) && count > 0, `${key} is a positive integer`)
        found[area] += count
      }
      checkEqual(found, expected, 'counted accesses')
    },
  },
  {
    suite: 'counters',
    title: 'counts survive close',
    run(subject) {
      const world = createWorld(subject)
      world.accessor.counters.reset()
      world.round(() => world.accessor.driver.load16(2))
      const before = world.accessor.counters.snapshot()
      world.accessor.close()
      checkEqual(world.accessor.counters.snapshot(), before, 'counters after close')
      check(Object.keys(before).length === 1, 'one access is one counter')
    },
  },
  {
    suite: 'counters',
    title: 'errors are errno values that have a name',
    run(subject) {
      const world = createWorld(subject)
      for (const area of AREAS) world.unmap(area)
      world.round(() => {
        forEachAccess((access, area) => {
          const result = access.run(world.accessor[area], 0)
          check(result < 0 && /^E[A-Z]+$/.test(errnoName(result)), about`${accessOf(area, access.name)} gave ${result}`)
        })
      })
    },
  },
]
