import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vring/layout'

/** Flags of a descriptor that is more than one device-readable buffer. */
export const NOT_PLAIN: number = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_WRITE

/**
 * Chains of one device-readable descriptor that is not empty, as columns: what a driver that sends nearly always makes
 * available.
 */
export interface PlainChains {
  /** The used element of each chain with nothing written to it: id and length, two words. Only ids are ever stored. */
  readonly used: Uint32Array
  /** Guest-physical address (or IOVA) of each buffer. */
  readonly address: Float64Array
  /** Bytes of each buffer. */
  readonly length: Uint32Array
}
