import { createWorld, type World } from '@vring/testkit'
import { about, accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual, type Subject } from '../conformance-case.ts'
import { ACCESSES } from './accesses.ts'

/**
 * Host page dirtiness: a frame is saved before it is used for something else only if it was marked dirty. The
 * page tables mark it for copies; a direct mapping has to mark it itself.
 */
export const dirtyCases: readonly ConformanceCase[] = [
  {
    suite: 'dirty',
    title: 'what any store wrote is there after its page was reclaimed',
    run(subject) {
      for (const { store, run, name } of ACCESSES) {
        if (!store) continue
        const world = cleanWorld(subject)
        world.round(() => {
          checkEqual(run(world.accessor.device, 8), 0, accessOf('device', name, 8))
        })
        const stored = [...world.driver.bytes('device')]
        world.accessor.close()
        world.swapOut('device')
        checkEqual(
          [...world.driver.bytes('device')],
          stored,
          about`the used ring after ${accessOf('device', name)}, close and reclaim`,
        )
      }
    },
  },
  {
    suite: 'dirty',
    title: 'M6: a store is not lost when the accessor is closed in the middle of a round',
    run(subject) {
      const world = cleanWorld(subject)
      world.accessor.beginRound()
      world.accessor.device.store16(2, 0x0bad)
      world.accessor.close()
      world.swapOut('device')
      checkEqual(world.driver.load16('device', 2), 0x0bad, 'used.idx after close and reclaim')
    },
  },
  {
    suite: 'dirty',
    title: 'M7: a store before an invalidation is not lost when the page is reclaimed in it',
    run(subject) {
      const world = cleanWorld(subject)
      world.round(() => {
        world.accessor.device.store16(2, 0x0bad)
        world.swapOut('device')
        checkEqual(world.driver.load16('device', 2), 0x0bad, 'used.idx after reclaim')
        world.accessor.device.store16(2, 0x0bae)
      })
      world.swapOut('device')
      checkEqual(world.driver.load16('device', 2), 0x0bae, 'used.idx after the next reclaim')
    },
  },
]

/** A world whose used ring is present, writable and clean: swap has a copy that is right until the next store. */
function cleanWorld(subject: Subject): World {
  const world = createWorld(subject)
  world.fill(14)
  world.swapOut('device')
  const before = world.driver.bytes('device')
  check(before.length === world.ring.device.length, 'the used ring comes back from swap')
  return world
}
