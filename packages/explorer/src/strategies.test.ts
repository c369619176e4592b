import * as parts from '@vring/accessor'
import { SYNC_NAMES, type SyncName } from '@vring/mmu-notifier'
import { describe, expect, it, vi } from 'vitest'
import { explore } from './explore.ts'
import { formatTimeline } from './format-timeline.ts'
import { MEMORY_MODELS, type MemoryModel } from './operation.ts'
import * as scenarios from './scenarios/index.ts'

// Exhaustive searches: seconds each, more on a machine that does something else too.
vi.setConfig({ testTimeout: 120_000 })

const races: Readonly<Record<string, scenarios.QueueScenario>> = {
  'a page moves': scenarios.migrateDuringRound,
  'a page is reclaimed': scenarios.reclaimDuringRound,
  'copy-on-write': scenarios.cowDuringRound,
  'writeback during reclaim': scenarios.writebackDuringReclaim,
  'the ring moves while its page does': scenarios.moveDuringInvalidation,
  'a refusal, end rule of 2019': scenarios.ringMustNotWait('2019'),
  'a refusal, end rule of 6.18': scenarios.ringMustNotWait('6.18'),
  'an unrelated range that must not wait': scenarios.unrelatedMustNotWait,
  'a refused registration': scenarios.refusedRegistration,
}

function exhaust(race: scenarios.QueueScenario, sync: SyncName, memoryModel: MemoryModel): void {
  const scenario = race({ parts, sync })
  const { finding, exhausted } = explore(sync === 'mutex' ? scenarios.patient(scenario) : scenario, { memoryModel })
  expect(finding === null ? '' : formatTimeline(finding)).toBe('')
  expect(exhausted).toBe(true)
}

describe.each(SYNC_NAMES)('strategy %s has no finding in any schedule', (sync) => {
  it.each(Object.entries(races))('%s', (_name, race) => exhaust(race, sync, 'sc'))

  // What the mutex protects is a round; an access outside of one would have no protection at all.
  const smallest = sync === 'mutex' ? scenarios.migrateDuringRound : scenarios.migrateDuringAccess
  it.each(MEMORY_MODELS)('the smallest race, memory model %s', (model) => exhaust(smallest, sync, model))
})

describe('the default strategy has no finding in any schedule', () => {
  const more: Readonly<Record<string, scenarios.QueueScenario>> = {
    'the ring moves during a round': scenarios.moveDuringRound,
    'close after a write': scenarios.closeAfterWrite,
    'parallel invalidations': scenarios.parallelInvalidations,
  }
  it.each(Object.entries(more))('%s', (_name, race) => exhaust(race, 'spinlock', 'sc'))

  it('a page moves during a round, as x86 orders memory', () =>
    exhaust(scenarios.migrateDuringRound, 'spinlock', 'tso'))
})

describe('interval notifiers, today’s design, have no finding in any schedule', () => {
  it('the ring moves during a round', () => exhaust(scenarios.moveDuringRound, 'interval', 'sc'))
  it('parallel invalidations', () => exhaust(scenarios.parallelInvalidations, 'interval', 'sc'))
  it('a page moves during a round, as x86 orders memory', () =>
    exhaust(scenarios.migrateDuringRound, 'interval', 'tso'))
})

describe('what the strategies that were abandoned were abandoned for', () => {
  it('mutex: the notifier waits for a whole round', () => {
    expect(explore(scenarios.migrateDuringRound({ parts, sync: 'mutex' })).finding?.kind).toBe('unbounded-wait')
  })

  it('rcu: the notifier waits for the devices of others', () => {
    expect(explore(scenarios.foreignReader({ parts, sync: 'rcu' })).finding?.kind).toBe('unbounded-wait')
  })
})
