import { AREAS, type Area, EAGAIN, EFAULT } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE } from '@vring/memory'
import { createWorld, type World } from '@vring/testkit'
import { type About, about, accessOf, areaOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual, type Subject } from '../conformance-case.ts'
import { expectAgreement } from './accesses.ts'

/**
 * Without a translation that permits what the device does with an area no access of it gives anything. The round does
 * not begin. Or, where an accessor needs no prefetch, the access ends it.
 */
function expectMiss({ plugin }: Subject, world: World, area: Area, why: About, errno: number = EAGAIN): void {
  const { accessor } = world
  const status = accessor.beginRound()
  if (plugin.supports.needsPrefetch) checkEqual(status, 'miss', about`beginRound ${why}`)
  if (status === 'ready') {
    const window = accessor[area]
    checkEqual(
      area === 'device' ? window.store16(2, 0) : window.load16(2),
      errno,
      about`an access of ${areaOf(area)} ${why}`,
    )
  }
  accessor.endRound()
}

/** Ring addresses are IOVAs: what is not translated is asked for, what is not permitted is not done. */
export const deviceIotlbCases: readonly ConformanceCase[] = (
  [
    {
      suite: 'device IOTLB',
      title: 'a missing translation ends the round and is asked for once; an update resumes it',
      run(subject) {
        for (const area of AREAS) {
          const world = createWorld(subject, { iotlb: true })
          world.untranslate(area)
          expectMiss(subject, world, area, about`without a translation of ${areaOf(area)}`)
          expectMiss(subject, world, area, about`while the question about ${areaOf(area)} is open`)
          const [miss, ...others] = world.takeMisses()
          const { iova = -1, perm } = miss ?? {}
          const { address, length } = world.ring[area]
          checkEqual(others, [], about`questions about ${areaOf(area)} after the first`)
          check(
            iova >= address && iova < address + length,
            about`the question is about ${iova}, expected ${areaOf(area)}`,
          )
          if (subject.plugin.supports.needsPrefetch) {
            checkEqual(iova, address, about`where the question about ${areaOf(area)} begins`)
            checkEqual(
              perm,
              area === 'device' ? ACCESS_READ | ACCESS_WRITE : ACCESS_READ,
              about`what ${areaOf(area)} is asked for`,
            )
          }
          world.translate(area)
          world.fill(20)
          world.round(() => expectAgreement(world))
          checkEqual(world.takeMisses(), [], 'questions in a round whose translations are all there')
        }
      },
    },
    {
      suite: 'device IOTLB',
      title: 'a translation without the permission ends the round, and nothing is asked',
      run(subject) {
        for (const area of AREAS) {
          const world = createWorld(subject, { iotlb: true })
          world.fill(21)
          const before = [...world.driver.bytes('device')]
          world.untranslate(area)
          world.translate(area, area === 'device' ? ACCESS_READ : ACCESS_WRITE)
          expectMiss(subject, world, area, about`without the permission for ${areaOf(area)}`, EFAULT)
          checkEqual(world.takeMisses(), [], about`questions about ${areaOf(area)}`)
          checkEqual([...world.driver.bytes('device')], before, 'the used ring')
        }
      },
    },
    {
      suite: 'device IOTLB',
      title: 'an invalidation forgets what was cached: the next round follows the new translation',
      run(subject) {
        const world = createWorld(subject, { iotlb: true })
        world.fill(22)
        world.round(() => expectAgreement(world))
        for (const area of AREAS) {
          world.untranslate(area)
          expectMiss(subject, world, area, about`after ${areaOf(area)} was invalidated`)
          world.moveElsewhere(area)
          world.translate(area)
          world.fill(23)
          world.round(() => expectAgreement(world))
        }
        world.round(() => checkEqual(world.accessor.device.store16(2, 0x3344), 0, accessOf('device', 'store16')))
        checkEqual(world.driver.load16('device', 2), 0x3344, 'used.idx at its new place')
      },
    },
    {
      suite: 'device IOTLB',
      title: 'an area in two translations works, wherever they lead',
      run(subject) {
        const world = createWorld(subject, { iotlb: true, queueSize: 1024, backing: 'shared' })
        for (const area of AREAS) world.splitTranslation(area)
        world.fill(24)
        world.round(() => {
          expectAgreement(world)
          const out = new Uint32Array(4)
          checkEqual(world.accessor.desc.loadWords(4096, out, 0, 4), 0, 'a descriptor in the second translation')
          checkEqual(out[0], world.driver.load32('desc', 4096), 'its first word')
          const elements = Uint32Array.from({ length: 64 }, (_, word) => word + 1)
          checkEqual(world.accessor.device.storeWords(4092 - 80, elements, 0, 64), 0, 'a batch over both translations')
          for (let word = 0; word < 64; word++)
            checkEqual(world.driver.load32('device', 4092 - 80 + 4 * word), word + 1, `word ${word} of the batch`)
        })
      },
    },
    {
      suite: 'device IOTLB',
      title: 'an update below the area shadows nothing: only its own translation is used',
      run(subject) {
        const world = createWorld(subject, { iotlb: true })
        world.fill(25)
        world.round(() => expectAgreement(world))
        world.translateElsewhere()
        world.round(() => {
          expectAgreement(world)
          check(
            world.accessor.device.store16(2, 9) === 0,
            about`${accessOf('device', 'store16')} after an unrelated update`,
          )
        })
        checkEqual(world.driver.load16('device', 2), 9, 'used.idx')
      },
    },
  ] satisfies ConformanceCase[]
).map((testCase) => ({ ...testCase, appliesTo: ({ supports }) => supports.iotlb }))
