/**
 * Segments that one batch can hold beyond one a chain: the longest chain a device accepts (Linux: UIO_MAXIOV).
 */
export const CHAIN_SEGMENTS_MAX = 1024

/**
 * Descriptor chains taken from a queue, as flat columns that are written over with every batch.
 *
 * ```
 *   chain     head[i]   segments segStart[i] .. segStart[i + 1] - 1   (device-readable first)
 *                                writeStart[i] .. are device-writable
 *   segment   address[s]  length[s]
 * ```
 */
export class ChainBatch {
  /** Chains in the batch. */
  count = 0
  /** Index of each chain's head descriptor: the id that the used ring gives back. */
  readonly head: Uint16Array
  /** First segment of each chain; entry `count` is the end of the last one. */
  readonly segStart: Uint32Array
  /** First device-writable segment of each chain (`segStart[i + 1]` when there is none). */
  readonly writeStart: Uint32Array
  /** Guest-physical address (or IOVA) of each segment. */
  readonly address: Float64Array
  /** Bytes of each segment. Zero-length descriptors leave no segment. */
  readonly length: Uint32Array

  /** @param chains how many chains it can hold */
  constructor(chains: number) {
    const segments = chains + CHAIN_SEGMENTS_MAX
    this.head = new Uint16Array(chains)
    this.segStart = new Uint32Array(chains + 1)
    this.writeStart = new Uint32Array(chains)
    this.address = new Float64Array(segments)
    this.length = new Uint32Array(segments)
  }

  /** Chains that it can hold. */
  get capacity(): number {
    return this.head.length
  }
}
