import { splitRingAreas } from '@vring/layout'
import { PAGE_BYTES } from '@vring/memory'
import { AVAIL_PAGE, DESC_PAGE, OTHER_PAGE, USED_PAGE } from '../queue-world.ts'
import { type QueueScenario, queueScenario, settled } from './queue-scenario.ts'

/** A page that is absent at first. */
export const absentPage: QueueScenario = queueScenario(
  'absent-page',
  'the used page is absent when a round wants to map it; the copy faults it in',
  (queue) => ({
    threads: [{ name: 'datapath', accesses: true, run: () => queue.round(queue.write) }],
    finish: settled(queue),
  }),
  { space: { absent: [USED_PAGE] }, mapped: false },
)

/** A used page that belongs to a file whose filesystem drops the buffers of clean pages. */
export const fileBacked: QueueScenario = queueScenario(
  'file-backed',
  'the used page is of a file, and its filesystem drops the buffers of a page that looks clean',
  (queue) => ({
    threads: [
      { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
      { name: 'filesystem', run: () => queue.space.dropBuffers(USED_PAGE) },
    ],
    finish: () => queue.checkClosed(),
  }),
  { space: { files: [USED_PAGE] } },
)

/** The used ring begins at the end of a page. */
export const straddlingArea: QueueScenario = queueScenario(
  'straddling-area',
  'the used ring begins 8 bytes before the end of its page; the next frame is another process’s',
  (queue) => ({
    threads: [
      { name: 'datapath', accesses: true, run: () => queue.round(() => void queue.accessor.device.store16(12, 1)) },
    ],
    finish: settled(queue),
  }),
  {
    space: { pages: [DESC_PAGE, AVAIL_PAGE, USED_PAGE, 9, OTHER_PAGE], foreign: [9] },
    ring: splitRingAreas(2, false, DESC_PAGE * PAGE_BYTES, AVAIL_PAGE * PAGE_BYTES, OTHER_PAGE * PAGE_BYTES - 8),
  },
)
