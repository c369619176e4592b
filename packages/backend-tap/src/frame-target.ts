import type { MemoryView } from '@vring/memory'

/** Where redirected frames go. */
export interface FrameTarget {
  /**
   * Takes a frame of `bytes` bytes at `at`, by copy.
   *
   * @param queue the queue that it came from: what a target with several queues chooses by
   * @returns false when it has no room
   */
  takeRedirected(view: MemoryView, at: number, bytes: number, queue: number): boolean
}
