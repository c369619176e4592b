import { expect, it } from 'vitest'
import { AccessCounters } from './access-counters.ts'

it('AccessCounters adds up by area and mode, shows only what happened, sorted, and forgets when told', () => {
  const counters = new AccessCounters()
  counters.add('device', 'direct', 3)
  counters.add('desc', 'fallback:page-absent', 1)
  counters.add('device', 'direct', 4)
  counters.add('driver', 'copy', 0)
  expect(counters.get('device', 'direct')).toBe(7)
  expect(counters.get('driver', 'copy')).toBe(0)
  expect(Object.entries(counters.snapshot())).toEqual([
    ['desc.fallback:page-absent', 1],
    ['device.direct', 7],
  ])
  counters.reset()
  expect(counters.snapshot()).toEqual({})
})
