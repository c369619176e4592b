import { describe, expect, it } from 'vitest'
import { slotState, wrapAt } from '../ring/packed-slots.ts'
import { ACCESSORS } from './accessors.ts'
import { type Action, ROUND } from './action.ts'
import { Machine } from './machine.ts'
import type { Moment } from './moment.ts'

const ADD: Action = { kind: 'add', shape: 'buffer' }
const PUBLISH: Action = { kind: 'publish' }

function run(name: string, ...script: Action[]): readonly Moment[] {
  const machine = new Machine({ accessor: { name, options: {} }, backing: 'anonymous', ring: 'packed' })
  for (const action of script) machine.perform(action)
  return machine.moments
}

describe('a packed ring', () => {
  it.each(ACCESSORS.map(({ name }) => name))('moves a packet through %s, one access at a time', (name) => {
    const moments = run(name, ADD, PUBLISH, { kind: 'translate-all' }, ROUND)
    const titles = moments.map(({ title }) => title)
    expect(titles).toContain('publishes 1 chain: the flags of the first, last')
    expect(titles).toContain('loads desc[0].flags → 0x80')
    expect(titles).toContain('stores desc[0].flags')
    const { queue, totals, violations } = moments.at(-1)!.snapshot
    expect(totals).toMatchObject({ packets: 1, lastRound: 'empty' })
    expect(queue).toMatchObject({ format: 'packed', nextAvail: 1, usedIdx: 1, wraps: [1, 1], broken: null })
    expect(violations).toEqual([])
  })

  it('wraps: both counters turn after the last slot', () => {
    const three = [ADD, ADD, ADD, PUBLISH, ROUND, { kind: 'take-used' } as const]
    const { queue } = run('copy-checked', ...three, ...three, ...three).at(-1)!.snapshot
    expect(queue).toMatchObject({ nextAvail: 1, usedIdx: 1, wraps: [0, 0], lastUsed: 1, freeDescriptors: 8 })
  })

  it.each(['chain', 'indirect'] as const)('takes %s as one packet', (shape) => {
    const { totals, queue } = run('vmap-direct', { kind: 'add', shape }, PUBLISH, ROUND).at(-1)!.snapshot
    expect([totals.packets, queue.broken]).toEqual([1, null])
  })

  it('breaks at a chain that has no end, and says why', () => {
    const { title, fault } = run('nospec-masked', { kind: 'add', shape: 'loop' }, PUBLISH, ROUND).at(-1)!
    expect(fault).toBe(true)
    expect(title).toMatch(/^the round ends: broken, .+/)
  })

  it('keeps its place when another accessor takes it over', () => {
    const moments = run(
      'copy-checked',
      ADD,
      PUBLISH,
      ROUND,
      { kind: 'take-used' },
      {
        kind: 'switch',
        accessor: { name: 'vmap-direct', options: {} },
      },
      ADD,
      PUBLISH,
      ROUND,
    )
    expect(moments.at(-1)!.snapshot).toMatchObject({ queue: { nextAvail: 2, usedIdx: 2 }, totals: { packets: 2 } })
  })
})

it('a descriptor is available, used, or of the lap before, by the wrap counter of its place', () => {
  expect([0x80, 0x8080, 0x8000, 0].map((flags) => slotState(flags, 1))).toEqual([
    'available',
    'used',
    'of the lap before',
    'of the lap before',
  ])
  expect([0x8000, 0].map((flags) => slotState(flags, 0))).toEqual(['available', 'used'])
  expect([0, 3, 7].map((slot) => wrapAt(slot, 3, 1))).toEqual([1, 0, 0])
})
