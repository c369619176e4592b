import * as faulty from '../faulty/index.ts'
import * as scenarios from '../scenarios/index.ts'
import { type Draft, FIXES } from './draft.ts'

/** Bugs without such a number: two of the fixes of August 2019, and the barriers of two commits. */
export const laterFixes: readonly Draft[] = [
  {
    id: 'fix 4',
    title: 'the count is not reset when the ring gets new addresses',
    source: FIXES,
    variant: 'ReregisteringSync',
    expected: 'fast-path-off',
    scenario: scenarios.moveDuringInvalidation,
    with: { sync: (port, slots) => new faulty.ReregisteringSync(port, slots) },
    repairedBy: 'rcu',
  },
  {
    id: 'fix 6',
    title: 'teardown waits for a grace period that it does not need',
    source: FIXES,
    variant: 'StallingTeardownSync',
    expected: 'unbounded-wait',
    scenario: scenarios.foreignReaderAtClose,
    with: { sync: (port, slots) => new faulty.StallingTeardownSync(port, slots) },
    repairedBy: 'rcu',
  },
  {
    id: '22e1992cf7b0',
    title: 'vhost_vq_avail_empty: the ring entry is read before the index',
    source: 'commit 22e1992cf7b0',
    variant: 'a Cpu port without acquire loads',
    expected: 'stale-entry',
    memoryModel: 'weak',
    scenario: scenarios.publishDuringPoll,
    // A lock around each access is itself an acquire; the mutex of the round is not.
    with: { sync: 'mutex', dropAcquire: true },
    repairedBy: 'mutex',
  },
  {
    id: 'df9ace7647d4',
    title: 'vhost_enable_notify: the ring entry is read before the index',
    source: 'commit df9ace7647d4',
    variant: 'a Cpu port without acquire loads',
    expected: 'stale-entry',
    memoryModel: 'weak',
    scenario: scenarios.publishDuringEnable,
    with: { sync: 'mutex', dropAcquire: true },
    repairedBy: 'mutex',
  },
]
