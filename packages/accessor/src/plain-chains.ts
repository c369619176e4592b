import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vring/layout'

/** Flags that tell whether a descriptor is one buffer, and whose: those of a plain chain are all 0 or VIRTQ_DESC_F_WRITE. */
export const PLAIN_FLAGS: number = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_WRITE

/**
 * Chains of one descriptor that is not empty, as columns: what a driver nearly always makes available, device-readable for
 * what it sends and device-writable for what it receives.
 */
export interface PlainChains {
  /** What the {@link PLAIN_FLAGS} of a chain's descriptor must be: 0 (device-readable) or VIRTQ_DESC_F_WRITE. */
  readonly flags: number
  /** The used element of each chain with nothing written to it: id and length, two words. Only ids are ever stored. */
  readonly used: Uint32Array
  /** Guest-physical address (or IOVA) of each buffer. */
  readonly address: Float64Array
  /** Bytes of each buffer. */
  readonly length: Uint32Array
}
