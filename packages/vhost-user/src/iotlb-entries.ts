import { QUEUE_SIZE_MAX, splitRingAreas } from '@vring/layout'

const PAGE_BYTES = 4096
/** Descriptors of the longest chain that a device takes. Source: Linux UIO_MAXIOV. */
const CHAIN_DESCRIPTORS_MAX = 1024
/** Queues whose worst chains are kept at once; more of them are the driver's own loss. */
const WORST_CHAINS = 4

/** Pages that a range of so many bytes lies in at most, wherever it begins. */
function pagesOf(bytes: number): number {
  return Math.floor((bytes - 2) / PAGE_BYTES) + 2
}

/**
 * Entries that a device's IOTLB needs so that the worst that a driver may make available gets done: the areas of every ring at
 * its largest, and of some queues a chain whose table and buffers each lie across pages, all of which a frontend translates
 * page by page. With fewer, what a chain needs last retires what it needed first, without end.
 */
export function iotlbEntriesFor(queueCount: number): number {
  const { desc, driver, device } = splitRingAreas(QUEUE_SIZE_MAX, true, 0, 2 ** 20, 2 ** 21)
  const ring = [desc, driver, device].reduce((sum, { length }) => sum + pagesOf(length), 0)
  // A buffer of at most a page lies in two; longer ones are fewer, as a frame is bounded.
  const chain = 2 * CHAIN_DESCRIPTORS_MAX + pagesOf(16 * CHAIN_DESCRIPTORS_MAX)
  return queueCount * ring + Math.min(queueCount, WORST_CHAINS) * chain
}
