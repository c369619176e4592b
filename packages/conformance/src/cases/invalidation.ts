import { AREAS, EFAULT } from '@vring/layout'
import { createWorld, type World } from '@vring/testkit'
import { about, accessOf, areaOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { expectAgreement } from './accesses.ts'

/** The address space changes under the accessor. Named after when it does: before, between, during accesses. */
export const invalidationCases: readonly ConformanceCase[] = [
  {
    suite: 'invalidation',
    title: 'pages that migrate between rounds are followed',
    run(subject) {
      const world = createWorld(subject)
      for (let round = 1; round <= 3; round++) {
        world.fill(round)
        world.round(() => expectAgreement(world))
        for (const area of AREAS) world.migrate(area)
      }
      world.round(() => expectAgreement(world))
    },
  },
  {
    suite: 'invalidation',
    title: 'pages that migrate between two accesses of a round are followed',
    run(subject) {
      const world = createWorld(subject)
      world.fill(7)
      world.round(() => {
        for (const area of AREAS) {
          expectAgreement(world)
          world.migrate(area)
          world.driver.store16(area, 0, 0x4321)
          checkEqual(world.accessor[area].load16(0), 0x4321, about`${accessOf(area, 'load16')} after its page moved`)
        }
        world.accessor.device.store16(2, 0x1234)
        world.migrate('device')
        checkEqual(world.driver.load16('device', 2), 0x1234, 'used.idx after its page moved')
        world.accessor.device.store16(2, 0x1235)
        checkEqual(world.driver.load16('device', 2), 0x1235, 'used.idx stored after its page moved')
      })
      checkEqual(world.staleMappings(), 0, 'mappings of pages that moved')
    },
  },
  {
    suite: 'invalidation',
    title: 'memory that is unmapped during a round is -EFAULT at the next access',
    run(subject) {
      const world = createWorld(subject)
      world.fill(8)
      world.round(() => {
        expectAgreement(world)
        for (const area of AREAS) {
          world.unmap(area)
          checkEqual(world.accessor[area].load16(0), EFAULT, about`${accessOf(area, 'load16')} after munmap`)
        }
        checkEqual(world.accessor.device.store16(2, 1), EFAULT, about`${accessOf('device', 'store16')} after munmap`)
      })
      checkEqual(world.staleMappings(), 0, 'mappings of memory that is gone')
    },
  },
  {
    suite: 'invalidation',
    title: 'accesses while an invalidation is open are right, nested and parallel ones too (M26)',
    run(subject) {
      const world = createWorld(subject)
      world.fill(9)
      world.round(() => {
        const endOuter = world.openInvalidation('device')
        const endInner = world.openInvalidation('device')
        const endOther = world.openInvalidation('desc')
        expectAgreement(world)
        checkEqual(
          world.accessor.device.store16(2, 5),
          0,
          about`${accessOf('device', 'store16')} while invalidations are open`,
        )
        endOuter()
        expectAgreement(world)
        endOther()
        endInner()
        expectAgreement(world)
      })
      checkEqual(world.driver.load16('device', 2), 5, 'used.idx')
    },
  },
  {
    suite: 'invalidation',
    title: 'an area is not mapped while an invalidation of it is open, whatever is done meanwhile',
    run(subject) {
      const world = createWorld(subject)
      world.round(() => expectAgreement(world))
      for (const area of AREAS) {
        const end = world.openInvalidation(area)
        for (let round = 0; round < 2; round++) {
          checkEqual(
            world.liveMappingsOf(area),
            0,
            about`mappings of ${areaOf(area)} while an invalidation of it is open`,
          )
          world.round(() => {
            expectAgreement(world)
            checkEqual(
              world.liveMappingsOf(area),
              0,
              about`mappings of ${areaOf(area)} in a round that begins meanwhile`,
            )
          })
        }
        end()
      }
    },
  },
  {
    suite: 'invalidation',
    title: 'a round that begins while an invalidation is open is right, and so is the next one',
    run(subject) {
      const world = createWorld(subject)
      const end = world.openInvalidation('driver')
      world.fill(10)
      world.round(() => {
        expectAgreement(world)
        end()
        expectAgreement(world)
      })
      for (const area of AREAS) world.migrate(area)
      world.round(() => expectAgreement(world))
    },
  },
  {
    suite: 'invalidation',
    title: 'the usual mode is back in the round after an invalidation',
    run(subject) {
      const world = createWorld(subject)
      const usual = modes(world)
      world.migrate('device')
      world.openInvalidation('desc')()
      modes(world)
      checkEqual(modes(world), usual, 'modes of the second round after an invalidation')
    },
  },
]

/** The modes that one access of each area runs in, in a round of its own. */
function modes(world: World): string[] {
  world.accessor.counters.reset()
  world.round(() => {
    for (const area of AREAS) check(world.accessor[area].load16(0) >= 0, accessOf(area, 'load16', 0))
  })
  return Object.keys(world.accessor.counters.snapshot())
}
