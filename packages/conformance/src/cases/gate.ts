import { AREAS, errnoName } from '@vring/layout'
import { createWorld } from '@vring/testkit'
import { about, accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'

/** Asked before all others: without it no other case says anything about the accessor. */
export const gateCase: ConformanceCase = {
  suite: 'gate',
  title: 'it is created, begins a round, loads a word of each area, ends and closes; else the rest can’t be judged',
  run(subject) {
    const { accessor } = createWorld(subject)
    checkEqual(accessor.beginRound(), 'ready', 'beginRound')
    for (const area of AREAS) {
      const found = accessor[area].load16(2)
      check(
        found >= 0,
        about`${accessOf(area, 'load16', 2)}: found ${errnoName(found)}, expected the word that is there`,
      )
    }
    accessor.endRound()
    accessor.close()
  },
}
