import type { FrameBatch } from './frame-batch.ts'

/**
 * Where frames for the driver come from: a batch of frames that wait in the source's own memory, each with a virtio-net
 * header before it, as tun gives them with IFF_VNET_HDR (a source without offloads writes zeros).
 */
export interface FrameSource {
  /** Descriptor that is readable when frames come, for a loop that sleeps; absent or negative: none. */
  readonly wakeFd?: number
  /** The frames that wait, oldest first: the same ones again until they are consumed. `count` 0: none. */
  receive(): FrameBatch
  /** The first `count` frames of the batch were delivered or dropped: the source may reuse their memory. */
  consume(count: number): void
  /**
   * For a source whose frames come in this thread's transmit rounds: `deliver` gives the driver what waits within such a round,
   * so that it need not be kept. Null: no ring receives. It may leave frames waiting.
   */
  connect?(deliver: (() => void) | null): void
}
