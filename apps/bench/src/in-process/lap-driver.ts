import type { Area } from '@vring/layout'
import type { RingFormat } from '../cell/cell-spec.ts'

/**
 * Packets after which every index of a ring is what it was at the beginning. Free-running indices have 16 bits and wrap
 * counters one; rings and chains are powers of two. State after any number of laps can be compared byte by byte.
 */
export const LAP_PACKETS = 65_536

/**
 * The driver of the in-process cells. It publishes buffers in order and takes used ones back, flat over typed arrays,
 * so that what is measured is the device. A driver that recycles its buffers.
 */
export interface LapDriver {
  /** Sum of the ids that were taken back: one figure that a lost or doubled buffer changes. */
  idSum: number
  /** Makes `count` chains available, the first of them last: with release, which pairs with the device's acquire. */
  publish(count: number): void
  /**
   * Takes back what the device used.
   *
   * @returns how many chains
   * @throws Error when the device, in order, used a chain that is not next
   */
  reclaim(): number
}

/** A lap driver's ring and chains: plain data, so that it crosses to a thread. */
export interface LapPlan {
  readonly format: RingFormat
  readonly inOrder: boolean
  readonly queueSize: number
  /** Byte offset of each area in the driver's view. */
  readonly areas: Readonly<Record<Area, number>>
  readonly chains: number
  /** Ring entries of a chain. */
  readonly entries: number
  /**
   * Descriptors that are written before they are published, four words each. They are in the format's layout but for
   * buffer id and AVAIL and USED. Of a packed ring they are those of each chain in turn. Of a split ring they are those
   * of recorded frames. They are null where it has none, as the descriptors then were written once.
   */
  readonly descriptors: Uint32Array | null
}
