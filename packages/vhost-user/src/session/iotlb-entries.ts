import { QUEUE_SIZE_MAX, splitRingAreas } from '@vring/layout'
import { BATCH_DESCRIPTORS_MAX, CHAIN_DESCRIPTORS_MAX, PIECES_MAX } from '@vring/virtqueue'

const PAGE_BYTES = 4096
/** Chains that one frame may lie in, each with a table of its own. */
const CHAINS_MAX = 256
/** Queues whose worst frames are kept at once; more of them are the driver's own loss. */
const WORST_FRAMES = 4

/** Pages that a range of so many bytes lies in at most, wherever it begins. */
function pagesOf(bytes: number): number {
  return Math.floor((bytes - 2) / PAGE_BYTES) + 2
}

/**
 * Entries that a device's IOTLB needs so that the worst that a driver may make available gets done. The worst is the
 * areas of every ring at its largest, and of some queues a frame whose tables and buffers each lie across pages. A
 * frontend translates all of these page by page. With fewer, what a frame needs last retires what it needed first,
 * without end. What would need more breaks its queue as `too-many-pieces`.
 */
export function iotlbEntriesFor(queueCount: number): number {
  const { desc, driver, device } = splitRingAreas(QUEUE_SIZE_MAX, true, 0, 2 ** 20, 2 ** 21)
  const ring = [desc, driver, device].reduce((sum, { length }) => sum + pagesOf(length), 0)
  // Tables of a batch and the chain that crosses its end, each across the boundary of two pages.
  const tables = 2 * CHAINS_MAX + Math.ceil((16 * (BATCH_DESCRIPTORS_MAX + CHAIN_DESCRIPTORS_MAX)) / PAGE_BYTES)
  return queueCount * ring + Math.min(queueCount, WORST_FRAMES) * (PIECES_MAX + tables)
}
