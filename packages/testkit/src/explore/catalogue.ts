import type { SyncName } from '@vring/mmu-notifier'
import type { Scenario } from './explore.ts'
import * as faulty from './faulty/index.ts'
import type { FindingKind, MemoryModel } from './operation.ts'
import type { QueueWorldOptions } from './queue-world.ts'
import * as scenarios from './scenarios/index.ts'

/** A bug of the patch's history: what shows it, and that the shipped code does not have it. */
export interface CatalogueEntry {
  /** `M1` to `M26` and `fix 1` to `fix 9` as the history numbers them; kernel commits by their id. */
  readonly id: string
  readonly title: string
  /** Where it is told of. */
  readonly source: string
  /** What is put back: a strategy that is itself at fault, or a variant of a shipped one. */
  readonly variant: string
  /** What the explorer must find. */
  readonly expected: FindingKind
  /** The model that the bug needs. */
  readonly memoryModel: MemoryModel
  readonly scenario: Scenario
  /** The same threads over the shipped code, which must be exhausted without a finding. */
  readonly repaired: Scenario
  /** What the repaired scenario runs. */
  readonly repairedBy: SyncName
}

interface Draft {
  readonly id: string
  readonly title: string
  readonly source: string
  readonly variant: string
  readonly expected: FindingKind
  readonly memoryModel?: MemoryModel
  readonly scenario: scenarios.QueueScenario
  readonly with: QueueWorldOptions
  readonly repairedBy: SyncName
  /** What the repaired scenario needs beside its strategy. */
  readonly repairedWith?: Partial<QueueWorldOptions>
}

const REVIEW = 'review of 7f466032dc9e, M. S. Tsirkin, J. Gunthorpe, 2019'
const FIXES = 'fixes of August 2019, v5'

const drafts: readonly Draft[] = [
  {
    id: 'M1',
    title: 'a refused registration is given back all the same',
    source: 'syzbot e58112d71f77113ddb7b',
    variant: 'IgnoredRegistrationSync',
    expected: 'reference-count',
    scenario: scenarios.refusedRegistration,
    with: { sync: (port, slots) => new faulty.IgnoredRegistrationSync(port, slots) },
    repairedBy: 'spinlock',
  },
  {
    id: 'M2',
    title: 'unregistering between start and end makes the count negative',
    source: REVIEW,
    variant: 'ResettingSync, a registration that does not wait',
    expected: 'negative-count',
    scenario: scenarios.moveDuringInvalidation,
    with: { sync: (port, slots) => new faulty.ResettingSync(port, slots), space: { registerWaits: false } },
    repairedBy: 'rcu',
    repairedWith: { space: { registerWaits: false } },
  },
  {
    id: 'M3',
    title: 'the ring moves between start and end, and the two answer differently',
    source: REVIEW,
    variant: 'CountedSync',
    expected: 'fast-path-off',
    scenario: scenarios.moveDuringInvalidation,
    with: { sync: (port, slots) => new faulty.CountedSync(port, slots) },
    repairedBy: 'rcu',
  },
  {
    id: 'M4',
    title: 'a refused SET_VRING_ADDR arms the addresses that were refused',
    source: FIXES,
    variant: 'EagerAccessor',
    expected: 'wrong-memory',
    scenario: scenarios.refusedAddress,
    with: { sync: 'spinlock', accessor: faulty.EagerAccessor },
    repairedBy: 'spinlock',
  },
  {
    id: 'M5',
    title: 'a mapping that is taken down is never given back',
    source: REVIEW,
    variant: 'LeakySync',
    expected: 'map-leak',
    scenario: scenarios.migrateDuringRound,
    with: { sync: (port, slots) => new faulty.LeakySync(port, slots) },
    repairedBy: 'spinlock',
  },
  {
    id: 'M6',
    title: 'teardown outside the notifier loses dirty pages',
    source: REVIEW,
    variant: 'CleanTeardownSync',
    expected: 'lost-dirty',
    scenario: scenarios.closeAfterWrite,
    with: { sync: (port, slots) => new faulty.CleanTeardownSync(port, slots) },
    repairedBy: 'spinlock',
  },
  {
    id: 'M7',
    title: 'a page is marked dirty while its last writer is still writing',
    source: FIXES,
    variant: 'EarlyDirtySync',
    expected: 'lost-dirty',
    scenario: scenarios.writebackDuringReclaim,
    with: { sync: (port, slots) => new faulty.EarlyDirtySync(port, slots) },
    repairedBy: 'counter',
  },
  {
    id: 'M8',
    title: 'a page of a file is dirtied behind its filesystem',
    source: REVIEW,
    variant: 'an address space that maps files',
    expected: 'lost-dirty',
    scenario: scenarios.fileBacked,
    with: { sync: 'spinlock', space: { mapFiles: true } },
    repairedBy: 'spinlock',
  },
  {
    id: 'M9',
    title: 'work done at invalidate_range comes too late to mark dirty',
    source: REVIEW,
    variant: 'LateSync',
    expected: 'lost-dirty',
    scenario: scenarios.reclaimAfterWrite,
    with: { sync: (port, slots) => new faulty.LateSync(port, slots) },
    repairedBy: 'spinlock',
  },
  {
    id: 'M10',
    title: 'every invalidation that must not wait is refused',
    source: REVIEW,
    variant: 'RefusingSync',
    expected: 'refused',
    scenario: scenarios.unrelatedMustNotWait,
    with: { sync: (port, slots) => new faulty.RefusingSync(port, slots) },
    repairedBy: 'rcu',
  },
  {
    id: 'M11',
    title: 'the end of a refused start is told and makes the count negative',
    source: 'Linux 6.18 mm/mmu_notifier.c over the rework of September 2019',
    variant: 'CountedSync, end rule of 6.18',
    expected: 'negative-count',
    scenario: scenarios.ringMustNotWait('6.18'),
    with: { sync: (port, slots) => new faulty.CountedSync(port, slots) },
    repairedBy: 'rcu',
  },
  {
    id: 'M12',
    title: 'a grace period waits for devices of other machines',
    source: REVIEW,
    variant: 'the strategy rcu itself',
    expected: 'unbounded-wait',
    scenario: scenarios.foreignReader,
    with: { sync: 'rcu' },
    repairedBy: 'spinlock',
  },
  {
    id: 'M13',
    title: 'a notifier that waits for a page fault waits for itself',
    source: REVIEW,
    variant: 'the strategy mutex itself',
    expected: 'deadlock',
    scenario: scenarios.faultReclaims,
    with: { sync: 'mutex' },
    repairedBy: 'spinlock',
  },
  {
    id: 'M14',
    title: 'an ioctl of one queue takes the registration of all',
    source: REVIEW,
    variant: 'SharedRegistrationSync',
    expected: 'stale-mapping',
    scenario: scenarios.twoQueues,
    with: { sync: faulty.sharedRegistration() },
    repairedBy: 'spinlock',
  },
  {
    id: 'M15',
    title: 'closing unregisters before mappings are down',
    source: REVIEW,
    variant: 'EarlyUnregisterSync',
    expected: 'stale-mapping',
    scenario: scenarios.closeAfterWrite,
    with: { sync: (port, slots) => new faulty.EarlyUnregisterSync(port, slots) },
    repairedBy: 'spinlock',
  },
  {
    id: 'M16',
    title: 'the mapping is loaded before the odd sequence is visible',
    source: REVIEW,
    variant: 'BarrierlessSeqcountSync',
    expected: 'stale-mapping',
    memoryModel: 'tso',
    scenario: scenarios.migrateDuringAccess,
    with: { sync: (port, slots) => new faulty.BarrierlessSeqcountSync(port, slots) },
    repairedBy: 'seqcount',
  },
  {
    id: 'M16 (counter)',
    title: 'a release store and an acquire load order nothing between them',
    source: 'fixes of August 2019, v2, and their review',
    variant: 'ReleaseAcquireCounterSync',
    expected: 'stale-mapping',
    memoryModel: 'tso',
    scenario: scenarios.migrateDuringAccess,
    with: { sync: (port, slots) => new faulty.ReleaseAcquireCounterSync(port, slots) },
    repairedBy: 'counter',
  },
  {
    id: 'M17',
    title: 'a page that was absent once is never mapped',
    source: REVIEW,
    variant: 'GivingUpSync',
    expected: 'fast-path-off',
    scenario: scenarios.absentPage,
    with: { sync: (port, slots) => new faulty.GivingUpSync(port, slots) },
    repairedBy: 'spinlock',
  },
  {
    id: 'M18',
    title: 'a batch goes on with the mapping it began with',
    source: 'commit 7f466032dc9e decides at each access',
    variant: 'PerRoundSync',
    expected: 'stale-mapping',
    scenario: scenarios.batchDuringInvalidation,
    with: { sync: (port, slots) => new faulty.PerRoundSync(port, slots) },
    repairedBy: 'spinlock',
  },
  {
    id: 'M18 (lost)',
    title: 'a used element is lost when its mapping goes away in mid-batch',
    source: 'commit 7f466032dc9e falls back at each access',
    variant: 'DroppingAccessor',
    expected: 'used-lost',
    scenario: scenarios.batchDuringInvalidation,
    with: { sync: 'interval', accessor: faulty.DroppingAccessor },
    repairedBy: 'interval',
  },
  {
    id: 'M20',
    title: 'ranges are compared in 32 bits',
    source: 'commits a89db445fbd7, 0d4a3f2abbef',
    variant: 'Narrow32Sync',
    expected: 'stale-mapping',
    scenario: scenarios.aboveFourGiB,
    with: { sync: (port, slots) => new faulty.Narrow32Sync(port, slots) },
    repairedBy: 'spinlock',
  },
  {
    id: 'M21',
    title: 'a failure that is not negative counts as a mapping',
    source: 'commit 7f466032dc9e, `err = EFAULT`',
    variant: 'PositiveErrorSync',
    expected: 'stale-mapping',
    scenario: scenarios.reclaimAfterWrite,
    with: { sync: (port, slots) => new faulty.PositiveErrorSync(port, slots) },
    repairedBy: 'spinlock',
  },
  {
    id: 'M22',
    title: 'the last page of an area that straddles is neither mapped nor checked',
    source: 'commit 7f466032dc9e, vhost_map_prefetch',
    variant: 'ShortMapSync',
    expected: 'wrong-memory',
    scenario: scenarios.straddlingArea,
    with: { sync: (port, slots) => new faulty.ShortMapSync(port, slots) },
    repairedBy: 'spinlock',
  },
  {
    id: 'M23',
    title: 'the exclusive end of a range counts as part of it',
    source: 'commit 7f466032dc9e, vhost_map_range_overlap',
    variant: 'InclusiveEndSync',
    expected: 'refused',
    scenario: scenarios.unrelatedMustNotWait,
    with: { sync: (port, slots) => new faulty.InclusiveEndSync(port, slots) },
    repairedBy: 'rcu',
  },
  {
    id: 'M24',
    title: 'copy-on-write that tells nobody leaves the old page mapped',
    source: 'generic: read-only lookup of pages shared since a fork',
    variant: 'an address space without notification',
    expected: 'stale-mapping',
    scenario: scenarios.cowDuringRound,
    with: { sync: 'spinlock', space: { silent: true } },
    repairedBy: 'spinlock',
  },
  {
    id: 'M25',
    title: 'a device IOTLB is turned on while maps exist',
    source: 'commit 7f466032dc9e, accesses ask for the IOTLB first',
    variant: 'StubbornAccessor',
    expected: 'wrong-memory',
    scenario: scenarios.iotlbTurnedOn,
    with: { sync: 'spinlock', accessor: faulty.StubbornAccessor },
    repairedBy: 'spinlock',
  },
  {
    id: 'M26',
    title: 'a flag for invalidations that nest and run in parallel',
    source: 'Linux 6.18 mm/mmu_notifier.c',
    variant: 'FlagSync',
    expected: 'stale-mapping',
    scenario: scenarios.parallelInvalidations,
    with: { sync: (port, slots) => new faulty.FlagSync(port, slots) },
    repairedBy: 'spinlock',
  },
  {
    id: 'M26 (wait)',
    title: 'an invalidation in parallel does not wait for the reader of the other',
    source: 'commit 7f466032dc9e, waits only where it has unpublished',
    variant: 'LoneWaitSync',
    expected: 'stale-mapping',
    scenario: scenarios.parallelStarts,
    with: { sync: (port, slots) => new faulty.LoneWaitSync(port, slots) },
    repairedBy: 'rcu',
  },
  {
    id: 'fix 4',
    title: 'the count is not reset when the ring is addressed anew',
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

/** The fixes of August 2019 whose bug has another number above. */
const FIX_OF: Readonly<Record<string, string>> = {
  'fix 1': 'M4',
  'fix 2': 'M1',
  'fix 3': 'M5',
  'fix 5': 'M6',
  'fix 7': 'M12',
  'fix 8': 'M7',
  'fix 9': 'M10',
}

function entry(draft: Draft, id: string = draft.id): CatalogueEntry {
  const { title, source, variant, expected, repairedBy, scenario } = draft
  return {
    id,
    title,
    source: id === draft.id ? source : FIXES,
    variant,
    expected,
    memoryModel: draft.memoryModel ?? 'sc',
    scenario: scenario(draft.with),
    repaired: scenario({ ...draft.repairedWith, sync: repairedBy }),
    repairedBy,
  }
}

/** Every bug, in the order of the history's numbers. */
export const catalogue: readonly CatalogueEntry[] = [
  ...drafts.map((draft) => entry(draft)),
  ...Object.entries(FIX_OF).map(([fix, id]) => entry(drafts.find((draft) => draft.id === id)!, fix)),
]
