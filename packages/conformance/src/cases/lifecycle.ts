import { AREAS, isVringError } from '@vring/layout'
import { createWorld } from '@vring/testkit'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'

/** Creation, rounds and the end. */
export const lifecycleCases: readonly ConformanceCase[] = [
  {
    suite: 'lifecycle',
    title: 'the accessor carries the name of its plugin',
    run(subject) {
      checkEqual(createWorld(subject).accessor.name, subject.plugin.name, 'accessor.name')
    },
  },
  {
    suite: 'lifecycle',
    title: 'close gives every mapping and registration back, a second close does nothing',
    run(subject) {
      const world = createWorld(subject)
      const listeners = world.listeners()
      world.round(() => world.accessor.device.store16(2, 1))
      world.accessor.close()
      checkEqual(world.liveMappings(), 0, 'live kernel mappings')
      check(world.listeners() < Math.max(listeners, 1), 'the accessor no longer listens to the address space')
      world.accessor.close()
      checkEqual(world.liveMappings(), 0, 'live kernel mappings after a second close')
      for (const area of AREAS) world.migrate(area)
      checkEqual(world.notifierFaults(), 0, 'faults of notifier callbacks')
    },
  },
  {
    suite: 'lifecycle',
    title: 'M5: rounds and invalidations leave no more mappings than areas',
    run(subject) {
      const world = createWorld(subject)
      for (let i = 0; i < 10; i++) {
        world.round(() => world.accessor.device.load16(2))
        for (const area of AREAS) world.migrate(area)
        world.round(() => world.accessor.driver.load16(2))
      }
      check(world.liveMappings() <= AREAS.length, `${world.liveMappings()} live kernel mappings of 3 areas`)
      world.accessor.close()
      checkEqual(world.liveMappings(), 0, 'live kernel mappings after close')
    },
  },
  {
    suite: 'lifecycle',
    title: 'two queues of one accessor plugin do not see each other',
    run(subject) {
      const world = createWorld(subject)
      const other = world.secondQueue()
      world.round(() => {
        other.accessor.beginRound()
        world.accessor.device.store16(2, 0x1111)
        other.accessor.device.store16(2, 0x2222)
        checkEqual(world.accessor.device.load16(2), 0x1111, 'used.idx of the first queue')
        checkEqual(other.accessor.device.load16(2), 0x2222, 'used.idx of the second queue')
        other.accessor.endRound()
        other.accessor.close()
        checkEqual(world.accessor.device.load16(2), 0x1111, 'used.idx of the first queue after the second was closed')
      })
    },
  },
  {
    suite: 'lifecycle',
    title: 'without support for a device IOTLB one is refused',
    appliesTo: ({ supports }) => !supports.iotlb,
    run: (subject) => expectUnsupported(() => createWorld(subject, { iotlb: true })),
  },
  {
    suite: 'lifecycle',
    title: 'an accessor that only translates refuses to work without a device IOTLB',
    appliesTo: ({ supports }) => !supports.noIotlb,
    run: (subject) => expectUnsupported(() => createWorld(subject, { iotlb: false })),
  },
]

function expectUnsupported(create: () => unknown): void {
  let refusal: unknown = null
  try {
    create()
  } catch (error) {
    refusal = error
  }
  check(
    isVringError(refusal) && refusal.code === 'ERR_UNSUPPORTED',
    `create gives ERR_UNSUPPORTED, not ${String(refusal)}`,
  )
}
