import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vring/layout'

/** Descriptors of the longest chain that a device accepts by default, empty ones too. Source: Linux UIO_MAXIOV. */
export const CHAIN_DESCRIPTORS_MAX = 1024
/**
 * Descriptors that a batch has room for, a chain: more than a segmented frame takes, so that only odd drivers fill one
 * early.
 */
export const BATCH_DESCRIPTORS_PER_CHAIN = 32
/** Descriptors at which no batch takes a further chain, however many it may hold: what a look at a ring costs at most. */
export const BATCH_DESCRIPTORS_MAX = 2048
/**
 * Contiguous pieces that `bytes` bytes in one chain may lie in. That is {@link CHAIN_DESCRIPTORS_MAX} buffers, each
 * across the boundary of two pages, and the bytes in pages.
 */
export function piecesMax(bytes: number): number {
  return 2 * CHAIN_DESCRIPTORS_MAX + Math.ceil(bytes / 4096) + 1
}
/**
 * Contiguous pieces that the buffers of one frame may lie in. That is a chain of {@link CHAIN_DESCRIPTORS_MAX}, each
 * across the boundary of two pages, and a frame of 64 KiB in pages. More are translations smaller than a page, which no
 * IOTLB has room for. Source: Linux `translate_desc`, which gives up with -ENOBUFS.
 */
export const PIECES_MAX: number = piecesMax(65_536)
/** Units of work (`WorkMeter`) of a look at a ring, whatever it finds, beside the descriptors that it walks. */
export const LOOK_WORK = 4
/** Chains that one hold of a lease reads or publishes at most: what the MMU notifier may have to wait for. */
export const HOLD_CHAINS = 64
/** Flags that tell whether a descriptor is one buffer, and whose: those of a single buffer are 0 or VIRTQ_DESC_F_WRITE. */
export const SINGLE_FLAGS: number = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_WRITE

/**
 * Descriptor chains taken from a queue of either format, as flat columns that are written over with every batch.
 *
 * ```
 *   chain     used[2 * i]   segments segStart[i] .. segStart[i + 1] - 1   (device-readable first)
 *                                    writeStart[i] .. are device-writable
 *   segment   address[s]  length[s]
 * ```
 *
 * Nearly always every chain is one segment of the kind that the queue is for ({@link uniform}). Then chain i is segment
 * i, and the index columns hold what they held before. They are written only for batches that differ.
 */
export class ChainBatch {
  /** Chains in the batch. */
  count = 0
  /** Descriptors that were walked for it, those of indirect tables and empty ones too: the work that it was. */
  descriptors = 0
  /** Ring entries that its chains take: the whole ring is on offer when they are as many as it has. */
  entries = 0
  /** Every chain is one segment of the batch's kind: segment i is chain i. */
  uniform = true
  /** What the {@link SINGLE_FLAGS} of a single buffer of the batch's kind are. */
  readonly flags: number
  /**
   * The used element of each chain as it is when nothing was written to the chain: its id and 0. The id is the index of
   * its head descriptor (split), or its buffer id (packed).
   */
  readonly used: Uint32Array
  /** Ring entries that each chain takes: 1 in a split ring, its descriptors in the ring in a packed one. */
  readonly slots: Uint16Array
  /** The private copy of each avail entry that was loaded by itself. */
  readonly entry: Uint16Array
  /**
   * The private copy of each chain's head descriptor, four words each: fetched once, checked here. Of a packed ring those
   * with an indirect table only.
   */
  readonly descriptor: Uint32Array
  /** First segment of each chain; entry `count` is the end of the last one. */
  readonly segStart: Uint32Array
  /** First device-writable segment of each chain (`segStart[i + 1]` when there is none). */
  readonly writeStart: Uint32Array
  /** Guest-physical address (or IOVA) of each segment. */
  readonly address: Float64Array
  /** Bytes of each segment. Zero-length descriptors leave no segment. */
  readonly length: Uint32Array
  /** Descriptors at which it takes no further chain: the rest is room for the longest one. */
  readonly descriptorLimit: number
  /** Chains whose index columns may differ from those of a uniform batch. */
  private touched: number

  /**
   * @param chains how many chains it can hold
   * @param kind what nearly all of them are: `readable` by the device (default), or `writable` for what a driver receives
   */
  constructor(chains: number, kind: 'readable' | 'writable' = 'readable') {
    this.descriptorLimit = Math.min(BATCH_DESCRIPTORS_PER_CHAIN * chains, BATCH_DESCRIPTORS_MAX)
    const segments = this.descriptorLimit + CHAIN_DESCRIPTORS_MAX
    this.flags = kind === 'writable' ? VIRTQ_DESC_F_WRITE : 0
    this.used = new Uint32Array(2 * chains)
    this.slots = new Uint16Array(chains)
    this.entry = new Uint16Array(chains)
    this.descriptor = new Uint32Array(4 * chains)
    this.segStart = new Uint32Array(chains + 1)
    this.writeStart = new Uint32Array(chains)
    this.address = new Float64Array(segments)
    this.length = new Uint32Array(segments)
    this.touched = chains
    this.begin()
  }

  /** Chains that it can hold. */
  get capacity(): number {
    return this.entry.length
  }

  /** The id that the used ring gives back for a chain. */
  idOf(chain: number): number {
    return this.used[2 * chain]!
  }

  /** Bytes of a chain that the device may write. */
  writableBytes(chain: number): number {
    let bytes = 0
    for (let segment = this.writeStart[chain]!; segment < this.segStart[chain + 1]!; segment++)
      bytes += this.length[segment]!
    return bytes
  }

  /** Empties it, with the index columns of a uniform batch. */
  begin(): void {
    this.count = 0
    this.descriptors = 0
    this.entries = 0
    if (this.touched === 0) return
    const readable = this.flags === VIRTQ_DESC_F_WRITE ? 0 : 1
    for (let chain = 0; chain < this.touched; chain++) {
      this.segStart[chain] = chain
      this.writeStart[chain] = chain + readable
      this.slots[chain] = 1
    }
    this.segStart[this.touched] = this.touched
    this.touched = 0
    this.uniform = true
  }

  /** From chain `chain` on, segment and chain part: the index columns are written. */
  part(): void {
    this.uniform = false
    this.touched = this.capacity
  }
}
