import { AREAS } from '@vring/layout'
import { speculate } from '@vring/speculation'
import { createWorld, type World } from '@vring/testkit'
import { accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'

/**
 * What `supports` says, asked both ways: a field that no case reads would be a word without a meaning. `fileBacked`, `iotlb`
 * and `noIotlb` are asked in their own suites.
 */
export const denialCases: readonly ConformanceCase[] = [
  {
    suite: 'supports',
    title: 'an accessor that needs no MMU notifier registers none, and maps nothing',
    appliesTo: ({ supports }) => !supports.needsMmuNotifier,
    run(subject) {
      const world = exercised(createWorld(subject))
      checkEqual(world.listeners(), 0, 'listeners of the address space')
      checkEqual(world.liveMappings(), 0, 'mappings that no notifier takes away')
    },
  },
  {
    suite: 'supports',
    title: 'an accessor that needs a MMU notifier registers one',
    appliesTo: ({ supports }) => supports.needsMmuNotifier,
    run(subject) {
      check(exercised(createWorld(subject)).listeners() > 0, 'there is a listener of the address space')
    },
  },
  {
    suite: 'supports',
    title: 'an accessor that needs no prefetch goes the same way with and without it',
    appliesTo: ({ supports }) => !supports.needsPrefetch,
    run(subject) {
      const { prefetched, alone } = modes(createWorld(subject))
      checkEqual(alone, prefetched, 'modes of accesses without beginRound')
    },
  },
  {
    suite: 'supports',
    title: 'an accessor that needs prefetch goes another way without it',
    appliesTo: ({ supports }) => supports.needsPrefetch,
    run(subject) {
      const { prefetched, alone } = modes(createWorld(subject))
      check(prefetched.join() !== alone.join(), `the modes are ${alone.join()} with and without beginRound`)
    },
  },
  {
    suite: 'supports',
    title: 'an accessor that never falls back counts no access as a fallback',
    appliesTo: ({ supports }) => !supports.fallsBack,
    run(subject) {
      const world = exercised(createWorld(subject))
      const counted = Object.keys(world.accessor.counters.snapshot())
      check(counted.length > 0, 'accesses are counted')
      checkEqual(
        counted.filter((key) => key.includes('.fallback:')),
        [],
        'accesses that fell back',
      )
    },
  },
  {
    suite: 'supports',
    title: 'an accessor that is not safe under speculation is found out, on a ring that masks nothing',
    appliesTo: ({ supports }) => !supports.speculationSafe,
    run({ plugin, options }) {
      const { verdict } = speculate(plugin, { options, depth: 1, nospec: 'none' })
      check(verdict !== 'clear', 'nothing is found: it can say that it is safe')
    },
  },
]

/** Rounds with everything that may happen to pages. */
function exercised(world: World): World {
  const look = (): void => {
    for (const area of AREAS) world.accessor[area].load16(0)
  }
  world.fill(40)
  // Without a prefetch too.
  look()
  world.round(look)
  for (const area of AREAS) {
    const end = world.openInvalidation(area)
    world.round(look)
    end()
    world.round(() => {
      look()
      world.migrate(area)
      look()
    })
    world.swapOut(area)
    world.round(look)
  }
  return world
}

/** Which modes one access of each area is counted under, in a round that began with a prefetch and without one. */
function modes(world: World): { prefetched: string[]; alone: string[] } {
  const counted = (): string[] => {
    for (const area of AREAS) check(world.accessor[area].load16(0) >= 0, accessOf(area, 'load16', 0))
    world.accessor.endRound()
    const keys = Object.keys(world.accessor.counters.snapshot())
    world.accessor.counters.reset()
    return keys.sort()
  }
  world.accessor.counters.reset()
  const alone = counted()
  checkEqual(world.accessor.beginRound(), 'ready', 'beginRound')
  return { prefetched: counted(), alone }
}
