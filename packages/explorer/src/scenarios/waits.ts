import type { MmuNotifierRange } from '@vring/mmu-notifier'
import { pageRange } from '../model-space.ts'
import { AVAIL_PAGE, OTHER_PAGE, type QueueWorld, USED_PAGE } from '../queue-world.ts'
import type { PreparedScenario } from '../scenario.ts'
import { type QueueScenario, queueScenario, settled } from './queue-scenario.ts'

/** The OOM reaper invalidates memory that is no ring's, and must not wait. */
export const unrelatedMustNotWait: QueueScenario = reaper(
  'unrelated-must-not-wait',
  'the OOM reaper invalidates the page before the ring and must not wait',
  pageRange(0, 'unmap', false),
)

function reaper(name: string, description: string, range: MmuNotifierRange): QueueScenario {
  return queueScenario(name, description, (queue, world) => ({
    threads: [
      { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
      {
        name: 'oom reaper',
        boundedWait: true,
        run: () => {
          if (!queue.space.invalidate(range)) world.fail('refused', 'an invalidation that concerns no ring was refused')
        },
      },
    ],
    finish: settled(queue),
  }))
}

/** The OOM reaper invalidates the used page and must not wait; a refusal is allowed, and must leave no trace. */
export function ringMustNotWait(endRule: '2019' | '6.18'): QueueScenario {
  return queueScenario(
    'ring-must-not-wait',
    `the OOM reaper invalidates the used page and must not wait; end rule of ${endRule}`,
    (queue) => {
      const range = pageRange(USED_PAGE, 'unmap', false)
      return {
        threads: [
          { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
          { name: 'oom reaper', boundedWait: true, run: () => void queue.space.migrate(range) },
        ],
        finish: settled(queue),
      }
    },
    { space: { endRule } },
  )
}

/** Another virtual machine's device is inside a long read side of its own. */
export const foreignReader: QueueScenario = queueScenario(
  'foreign-reader',
  'an invalidation of our ring while the device of another machine works through its own',
  (queue) => foreign(queue, (range) => void queue.space.migrate(range)),
)

/** The same for control. */
export const foreignReaderAtClose: QueueScenario = queueScenario(
  'foreign-reader-at-close',
  'our queue closes while the device of another machine works through its own',
  (queue) => foreign(queue, () => queue.accessor.close()),
)

function foreign(queue: QueueWorld, act: (range: MmuNotifierRange) => void): PreparedScenario {
  const range = pageRange(USED_PAGE, 'migrate')
  return {
    threads: [
      {
        name: 'another device',
        run: () => {
          queue.port.rcuReadLock()
          for (let access = 0; access < 3; access++) queue.cpu.loadUser16(queue.user(OTHER_PAGE, 2 * access))
          queue.port.rcuReadUnlock()
        },
      },
      { name: 'waits', boundedWait: true, run: () => act(range) },
    ],
    finish: () => queue.checkClosed(),
  }
}

/** A copy faults its page in, for which memory must be reclaimed: the ring's own. */
export const faultReclaims: QueueScenario = (options) => {
  const range = pageRange(USED_PAGE, 'clear')
  return queueScenario(
    'fault-reclaims',
    'a round falls back to a copy, its page fault has to reclaim a page of the same ring',
    (queue) => ({
      threads: [
        { name: 'datapath', accesses: true, run: () => queue.round(() => void queue.accessor.driver.load16(2)) },
      ],
      finish: () => queue.checkClosed(),
    }),
    { space: { absent: [AVAIL_PAGE], onFault: (space) => void space.reclaim(range) } },
  )(options)
}
