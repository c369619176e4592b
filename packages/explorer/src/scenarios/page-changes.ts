import { PAGE_BYTES } from '@vring/memory'
import type { MmuNotifierRange } from '@vring/mmu-notifier'
import { type ModelSpace, pageRange } from '../model-space.ts'
import { AVAIL_PAGE, OTHER_PAGE, ringAt, USED_PAGE } from '../queue-world.ts'
import { type QueueScenario, queueScenario, settled } from './queue-scenario.ts'

/** One change of a page while a round runs. */
function during(
  change: string,
  act: (space: ModelSpace, range: MmuNotifierRange) => boolean,
  page: number,
): QueueScenario {
  return queueScenario(`${change}-during-round`, `${change} of a ring page while a round runs`, (queue) => {
    const range = pageRange(page, 'clear')
    return {
      threads: [
        { name: 'datapath', accesses: true, run: () => queue.round(queue.readAndWrite) },
        { name: change, boundedWait: true, run: () => void act(queue.space, range) },
      ],
      finish: settled(queue),
    }
  })
}

export const migrateDuringRound: QueueScenario = during('migration', (space, range) => space.migrate(range), USED_PAGE)
export const reclaimDuringRound: QueueScenario = during('reclaim', (space, range) => space.reclaim(range), USED_PAGE)
export const cowDuringRound: QueueScenario = during(
  'copy-on-write',
  (space, range) => space.breakCow(range),
  AVAIL_PAGE,
)

/** The smallest race: one access, one invalidation. */
export const migrateDuringAccess: QueueScenario = queueScenario(
  'migration-during-access',
  'the used page moves while one access writes to it',
  (queue) => {
    const range = pageRange(USED_PAGE, 'migrate')
    return {
      threads: [
        { name: 'datapath', accesses: true, run: queue.write },
        { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(range) },
      ],
      finish: settled(queue),
    }
  },
)

/** One access, and two invalidations of its page that overlap in time. */
export const parallelStarts: QueueScenario = queueScenario(
  'parallel-starts',
  'two invalidations of one page start while one access writes to it',
  (queue) => {
    const first = pageRange(USED_PAGE, 'migrate')
    const second = pageRange(USED_PAGE, 'protection-page')
    return {
      threads: [
        { name: 'datapath', accesses: true, run: queue.write },
        { name: 'mprotect', boundedWait: true, run: () => void queue.space.invalidate(second) },
        { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(first) },
      ],
      finish: settled(queue),
    }
  },
)

/** Writeback cleans the used page while it is being reclaimed and written. */
export const writebackDuringReclaim: QueueScenario = queueScenario(
  'writeback-during-reclaim',
  'a writer inside the mapping, a reclaim that waits for it, and writeback in between',
  (queue) => {
    const range = pageRange(USED_PAGE, 'clear')
    return {
      threads: [
        { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
        { name: 'reclaim', boundedWait: true, run: () => void queue.space.reclaim(range) },
        { name: 'writeback', run: () => queue.space.writeBack(USED_PAGE) },
      ],
      finish: settled(queue),
    }
  },
)

/** Two invalidations of the used page that overlap in time, and a round that would like to map it. */
export const parallelInvalidations: QueueScenario = queueScenario(
  'parallel-invalidations',
  'two invalidations of one page overlap in time while a round runs',
  (queue) => {
    const moved = pageRange(USED_PAGE, 'migrate')
    const other: MmuNotifierRange = {
      start: USED_PAGE * PAGE_BYTES,
      end: (OTHER_PAGE + 1) * PAGE_BYTES,
      event: 'protection-vma',
      blockable: true,
    }
    return {
      threads: [
        { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
        { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(moved) },
        { name: 'mprotect', boundedWait: true, run: () => void queue.space.invalidate(other) },
      ],
      finish: settled(queue),
    }
  },
)

/** The used page was written through the mapping and is then reclaimed. */
export const reclaimAfterWrite: QueueScenario = queueScenario(
  'reclaim-after-write',
  'the used page, written through the mapping, is reclaimed',
  (queue) => {
    const range = pageRange(USED_PAGE, 'clear')
    queue.round(queue.write)
    return {
      threads: [
        { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
        { name: 'reclaim', boundedWait: true, run: () => void queue.space.reclaim(range) },
      ],
      finish: settled(queue),
    }
  },
)

/** Pages on both sides of 4 GiB. */
export const aboveFourGiB: QueueScenario = (options) => {
  const first = 2 ** 32 / PAGE_BYTES
  return queueScenario(
    'above-4-gib',
    'an invalidation from below to above 4 GiB, with the ring above',
    (queue) => {
      const range: MmuNotifierRange = {
        start: first * PAGE_BYTES,
        end: (first + 3) * PAGE_BYTES,
        event: 'migrate',
        blockable: true,
      }
      const crossing = { ...range, start: (first - 1) * PAGE_BYTES }
      return {
        threads: [
          { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
          { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(crossing) },
        ],
        finish: settled(queue),
      }
    },
    { space: { pages: [first - 1, first, first + 1] }, ring: ringAt(first, first + 1, first - 1) },
  )(options)
}
