import * as parts from '@vring/accessor'
import { SYNC_NAMES, type SyncName } from '@vring/mmu-notifier'
import { describe, expect, it, vi } from 'vitest'
import type { ExploreOptions } from '../exploration.ts'
import { explore } from '../explore.ts'
import { formatTimeline } from '../format-timeline.ts'
import * as scenarios from '../scenarios/index.ts'

// Exhaustive searches: seconds each, more on a machine that does something else too.
vi.setConfig({ testTimeout: 120_000 })

function exhaust(change: scenarios.PagedScenario, sync: SyncName, options: ExploreOptions = {}): void {
  const scenario = change({ parts, sync })
  const { finding, exhausted } = explore(sync === 'mutex' ? scenarios.patient(scenario) : scenario, options)
  expect(finding === null ? '' : formatTimeline(finding)).toBe('')
  expect(exhausted).toBe(true)
}

const small: Readonly<Record<string, scenarios.PagedScenario>> = {
  munmap: scenarios.pagedMunmap,
  mprotect: scenarios.pagedProtect,
  MADV_DONTNEED: scenarios.pagedDrop,
  'a NUMA hint': scenarios.pagedHint,
  'a fault of the driver': scenarios.pagedFault,
}

/** Two page faults or two invalidations, each of scores of steps: bounded. */
const large: Readonly<Record<string, scenarios.PagedScenario>> = {
  fork: scenarios.pagedFork,
  'copy-on-write': scenarios.pagedCow,
  'two copies at once': scenarios.pagedTwoCopies,
}

const bounded = SYNC_NAMES.filter((sync) => sync !== 'mutex')

describe.each(SYNC_NAMES)('the shipped address space under strategy %s has no finding in any schedule', (sync) => {
  it.each(Object.entries(small))('%s', (_name, change) => exhaust(change, sync))
})

// Not the mutex: see M13 below.
describe.each(bounded)(
  'the shipped address space under strategy %s has no finding in schedules of one preemption',
  (sync) => {
    it.each(Object.entries(large))('%s', (_name, change) => exhaust(change, sync, { preemptions: 1 }))
  },
)

it('M13: under the mutex a write of a round breaks copy-on-write, and the notifier waits for that round', () => {
  for (const change of [scenarios.pagedFork, scenarios.pagedTwoCopies]) {
    const { finding } = explore(scenarios.patient(change({ parts, sync: 'mutex' })), { preemptions: 1 })
    expect(finding?.kind).toBe('deadlock')
    expect(finding?.message).toContain('datapath waits for got vq mutex')
  }
})

describe.each(['spinlock', 'interval'] as const)('under %s, the default and today’s design', (sync) => {
  it('migration, every schedule', () => exhaust(scenarios.pagedMigrate, sync))
  it.each(Object.entries(large))('%s, of two preemptions', (_name, change) => exhaust(change, sync, { preemptions: 2 }))
})

describe('as x86 orders memory', () => {
  it('munmap and a NUMA hint have no finding', () => {
    exhaust(scenarios.pagedMunmap, 'spinlock', { memoryModel: 'tso' })
    exhaust(scenarios.pagedHint, 'counter', { memoryModel: 'tso', preemptions: 2 })
  })
})
