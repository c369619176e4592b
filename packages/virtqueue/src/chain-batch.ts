import type { PlainChains } from '@vring/accessor'
import { VIRTQ_DESC_F_WRITE } from '@vring/layout'

/** Descriptors of the longest chain that a device accepts, those of length zero too. Source: Linux UIO_MAXIOV. */
export const CHAIN_SEGMENTS_MAX = 1024
/** Segments that a batch has room for, a chain: more than a segmented frame takes, so that only odd drivers fill one early. */
export const BATCH_SEGMENTS_PER_CHAIN = 32

/**
 * Descriptor chains taken from a queue, as flat columns that are written over with every batch.
 *
 * ```
 *   chain     used[2 * i]   segments segStart[i] .. segStart[i + 1] - 1   (device-readable first)
 *                                    writeStart[i] .. are device-writable
 *   segment   address[s]  length[s]
 * ```
 *
 * Nearly always every chain is one segment of the kind that the queue is for ({@link uniform}): then chain i is segment i, and
 * both index columns hold what they held before; they are written only for batches that differ.
 */
export class ChainBatch implements PlainChains {
  /** Chains in the batch. */
  count = 0
  /** Descriptors that chains of more than one took to walk: what they cost, whatever segments they left. */
  walked = 0
  /** Every chain is one segment of the batch's kind: segment i is chain i. */
  uniform = true
  readonly flags: number
  /**
   * The used element of each chain as it is when nothing was written to the chain: its id, which is the index of its head
   * descriptor, and 0.
   */
  readonly used: Uint32Array
  /** The private copy of each avail entry that was loaded by itself. */
  readonly entry: Uint16Array
  /** The private copy of each chain's head descriptor, four words each: fetched once, checked here. */
  readonly descriptor: Uint32Array
  /** First segment of each chain; entry `count` is the end of the last one. */
  readonly segStart: Uint32Array
  /** First device-writable segment of each chain (`segStart[i + 1]` when there is none). */
  readonly writeStart: Uint32Array
  /** Guest-physical address (or IOVA) of each segment. */
  readonly address: Float64Array
  /** Bytes of each segment. Zero-length descriptors leave no segment. */
  readonly length: Uint32Array

  /**
   * @param chains how many chains it can hold
   * @param kind what nearly all of them are: `readable` by the device (default), or `writable` for what a driver receives
   */
  constructor(chains: number, kind: 'readable' | 'writable' = 'readable') {
    const segments = BATCH_SEGMENTS_PER_CHAIN * chains + CHAIN_SEGMENTS_MAX
    this.flags = kind === 'writable' ? VIRTQ_DESC_F_WRITE : 0
    this.used = new Uint32Array(2 * chains)
    this.entry = new Uint16Array(chains)
    this.descriptor = new Uint32Array(4 * chains)
    this.segStart = new Uint32Array(chains + 1)
    this.writeStart = new Uint32Array(chains)
    this.address = new Float64Array(segments)
    this.length = new Uint32Array(segments)
    this.place(chains)
  }

  /** Segments, and descriptors walked, at which it takes no further chain: the rest is room for the longest one. */
  get segmentLimit(): number {
    return BATCH_SEGMENTS_PER_CHAIN * this.entry.length
  }

  /** Chains that it can hold. */
  get capacity(): number {
    return this.entry.length
  }

  /** Index of a chain's head descriptor: the id that the used ring gives back. */
  headOf(chain: number): number {
    return this.used[2 * chain]!
  }

  /** Makes the index columns those of a uniform batch again. */
  restore(): void {
    this.place(this.capacity)
    this.uniform = true
  }

  /** Gives each of the first `count` chains one segment, that of its own number. */
  place(count: number): void {
    const { segStart, writeStart } = this
    const readable = this.flags === VIRTQ_DESC_F_WRITE ? 0 : 1
    for (let chain = 0; chain < count; chain++) {
      segStart[chain] = chain
      writeStart[chain] = chain + readable
    }
    segStart[count] = count
  }
}
