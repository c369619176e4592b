import type { StepTable } from '@vring/accessor'
import type { SyncName } from '@vring/mmu-notifier'

const UNLOCKED: StepTable = {
  load16: ['load'],
  load32: ['load'],
  'loadWords of 4': ['load', 'load'],
  store16: ['store'],
  store32: ['store'],
  'storeWords of 2': ['store'],
  'storeWords of 4': ['store', 'store'],
}

/** Strategies whose accesses carry a locked operation: a lock, or a full barrier. */
const LOCKED: readonly SyncName[] = ['counter', 'seqcount', 'spinlock', 'interval']

/** The steps of each access by a window through a mapping, in order; those of a fallback are the copy's. */
export function directSteps(sync: SyncName): StepTable {
  const before = LOCKED.includes(sync) ? (['lock'] as const) : []
  const table = Object.entries(UNLOCKED).map(([key, steps]) => [key, [...before, ...steps]])
  return Object.fromEntries(table) as StepTable
}
