import type { SyncName } from '@vring/mmu-notifier'
import * as faulty from '../faulty/index.ts'
import type { MappedAccessorParts } from '../mapped-accessor.ts'
import type { FindingKind } from '../operation.ts'
import * as scenarios from '../scenarios/index.ts'
import type { CatalogueEntry } from './catalogue-entry.ts'

interface SpaceFault {
  readonly id: string
  readonly title: string
  readonly source: string
  readonly variant: string
  readonly expected: FindingKind
  readonly scenario: scenarios.PagedScenario
  readonly sync: SyncName
  readonly with: scenarios.PagedFaults
  /** Is the ring mapped before the threads start? Default true. */
  readonly mapped?: boolean
  readonly preemptions?: number
}

/** Faults of address spaces and notifiers, put into the shipped ones. */
const faults: readonly SpaceFault[] = [
  {
    id: 'space 1',
    title: 'a page is unmapped without a notification',
    source: 'M24, in PagedSpace',
    variant: 'SilentMemory',
    expected: 'stale-mapping',
    scenario: scenarios.pagedMunmap,
    sync: 'spinlock',
    with: { memory: faulty.SilentMemory },
  },
  {
    id: 'space 2',
    title: 'a process forks without a notification',
    source: 'M24, in PagedSpace',
    variant: 'SilentMemory',
    expected: 'stale-mapping',
    scenario: scenarios.pagedFork,
    sync: 'spinlock',
    with: { memory: faulty.SilentMemory },
    preemptions: 2,
  },
  {
    id: 'space 3',
    title: 'the end of an invalidation is told before the pages change',
    source: 'Linux Documentation/mm/mmu_notifier.rst',
    variant: 'EarlyEndMemory',
    expected: 'stale-mapping',
    scenario: scenarios.pagedHint,
    sync: 'spinlock',
    with: { memory: faulty.EarlyEndMemory },
  },
  {
    id: 'space 4',
    title: 'the TLB is not flushed',
    source: 'Linux Documentation/core-api/cachetlb.rst',
    variant: 'UnflushedMemory',
    expected: 'stale-mapping',
    scenario: scenarios.pagedMigrate,
    sync: 'spinlock',
    with: { memory: faulty.UnflushedMemory },
  },
  {
    id: 'space 5',
    title: 'a page shared since a fork is mapped to be written',
    source: 'Linux get_user_pages_fast without FOLL_WRITE',
    variant: 'CarelessLookupSpace',
    expected: 'stale-mapping',
    scenario: scenarios.pagedTwoCopies,
    sync: 'spinlock',
    with: { space: faulty.CarelessLookupSpace },
    preemptions: 2,
  },
  {
    id: 'space 6',
    title: 'an interval is read while it is being invalidated',
    source: 'Linux 6.18 mm/mmu_notifier.c, mmu_interval_read_begin',
    variant: 'ImpatientMemory',
    expected: 'stale-mapping',
    scenario: scenarios.pagedMigrate,
    sync: 'interval',
    with: { memory: faulty.ImpatientMemory },
  },
  {
    id: 'space 7',
    title: 'an interval is not read again after the lookup',
    source: 'Linux 6.18 mm/mmu_notifier.c, mmu_interval_read_retry',
    variant: 'TrustingMemory',
    expected: 'stale-mapping',
    scenario: scenarios.pagedMigrate,
    sync: 'interval',
    with: { memory: faulty.TrustingMemory },
    mapped: false,
    preemptions: 2,
  },
  {
    id: 'space 8',
    title: 'two page faults fill one entry',
    source: 'Linux mm/memory.c, do_anonymous_page, vmf->ptl',
    variant: 'UnlockedTablesPort',
    expected: 'bad-frames',
    scenario: scenarios.pagedFault,
    sync: 'spinlock',
    with: { port: faulty.UnlockedTablesPort },
  },
  {
    id: 'space 9',
    title: 'two invalidations begin at once and one is forgotten',
    source: 'Linux 6.18 mm/mmu_notifier.c, notifier_subscriptions.lock',
    variant: 'UnlockedListPort',
    expected: 'exception',
    scenario: scenarios.pagedTwoCopies,
    sync: 'spinlock',
    with: { port: faulty.UnlockedListPort },
    preemptions: 2,
  },
]

/** The catalogue's entries over the shipped address space. */
export function spaceFaults(parts: MappedAccessorParts): CatalogueEntry[] {
  return faults.map(({ sync, mapped = true, with: fault, scenario, ...facts }) => ({
    ...facts,
    memoryModel: 'sc',
    waitLimit: 1,
    scenario: scenario({ parts, sync, mapped, ...fault }),
    repaired: scenario({ parts, sync, mapped }),
    repairedBy: sync,
  }))
}
