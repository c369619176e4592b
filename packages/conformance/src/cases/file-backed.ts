import { AREAS, isVringError } from '@vring/layout'
import { createWorld, type World } from '@vring/testkit'
import { about, accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'

/** Rings in a file: a write past the page tables is lost at writeback (M8). */
export const fileBackedCases: readonly ConformanceCase[] = [
  {
    suite: 'file-backed',
    title: 'a ring in a file works, and what the device stored is written back',
    appliesTo: ({ supports }) => supports.fileBacked || supports.fallsBack,
    run(subject) {
      const world = createWorld(subject, { backing: 'file' })
      exerciseFile(world)
    },
  },
  {
    suite: 'file-backed',
    title: 'without support for files each access falls back, and the counters say so',
    appliesTo: ({ supports }) => !supports.fileBacked && supports.fallsBack,
    run(subject) {
      const world = createWorld(subject, { backing: 'file' })
      exerciseFile(world)
      for (const [key, count] of Object.entries(world.accessor.counters.snapshot()))
        check(key.endsWith('.fallback:file-backed'), `${count} accesses as ${key} in file-backed memory`)
    },
  },
  {
    suite: 'file-backed',
    title: 'without support for files and without a fallback the accessor refuses the ring',
    appliesTo: ({ supports }) => !supports.fileBacked && !supports.fallsBack,
    run(subject) {
      let refusal: unknown = null
      try {
        createWorld(subject, { backing: 'file' })
      } catch (error) {
        refusal = error
      }
      check(isVringError(refusal) && refusal.code === 'ERR_UNSUPPORTED', 'create refuses it with ERR_UNSUPPORTED')
    },
  },
]

function exerciseFile(world: World): void {
  world.fill(13)
  world.writeBack()
  world.round(() => {
    for (const area of AREAS)
      checkEqual(
        world.accessor[area].load16(2),
        world.driver.load16(area, 2),
        about`${accessOf(area, 'load16', 2)} of a file`,
      )
    checkEqual(world.accessor.device.store16(2, 0x5aa5), 0, about`${accessOf('device', 'store16')} of a file`)
    checkEqual(
      world.accessor.device.storeWords(4, Uint32Array.of(3, 4), 0, 2),
      0,
      about`${accessOf('device', 'storeWords')} of a file`,
    )
    // Its filesystem is asked before a page is written through the page tables, and knows nothing of another way: M8.
    checkEqual(world.liveMappings(), 0, 'direct mappings of pages of a file')
  })
  world.writeBack()
  checkEqual(world.diskWord16('device', 2), 0x5aa5, 'used.idx in the file')
  checkEqual(world.diskWord16('device', 4), 3, 'the element in the file')
}
