/** Where the parts of a ring lie in its mapping, in bytes. Source: Linux include/uapi/linux/if_xdp.h, xdp_ring_offset. */
export interface XdpRingOffsets {
  readonly producer: number
  readonly consumer: number
  readonly desc: number
  readonly flags: number
}

const XDP_RING_NEED_WAKEUP = 1
const NOTHING = new Uint32Array(0)

/**
 * One of the four rings of an AF_XDP socket over mapped memory, which any thread of the process may look at, one at a
 * time. Its entries lie between two free-running indices. In the fill and completion ring they have 8 bytes, an address
 * in the UMEM. In the RX and TX ring they have 16: address, length, options.
 *
 * ```
 *   consumer -> | entry | entry | ...  <- producer        index & (size - 1) is the slot
 * ```
 */
abstract class XdpRing {
  /** The memory in 32-bit words; {@link at} gives positions in it. Empty once the ring is closed. */
  words: Uint32Array
  /** Entries; a power of two. */
  readonly size: number
  protected readonly producerWord: number
  protected readonly consumerWord: number
  /** Where this side's index is: one of the two. */
  protected abstract get localWord(): number
  /** This side's free-running index. */
  protected local!: number
  private readonly flagsWord: number
  private readonly entriesWord: number
  private readonly entryShift: number

  constructor(buffer: ArrayBuffer, offsets: XdpRingOffsets, size: number, entryBytes: 8 | 16) {
    this.words = new Uint32Array(buffer)
    this.size = size
    this.producerWord = offsets.producer >>> 2
    this.consumerWord = offsets.consumer >>> 2
    this.flagsWord = offsets.flags >>> 2
    this.entriesWord = offsets.desc >>> 2
    this.entryShift = entryBytes === 8 ? 1 : 2
    this.follow()
  }

  /** Position in {@link words} of the `index`th entry from this side's end of the ring. */
  at(index: number): number {
    return this.entriesWord + (((this.local + index) & (this.size - 1)) << this.entryShift)
  }

  /** The kernel asks to be called before it goes on with this ring. */
  get needsWakeup(): boolean {
    return (Atomics.load(this.words, this.flagsWord) & XDP_RING_NEED_WAKEUP) !== 0
  }

  /** Goes on where the ring is by now: another thread may have used it. */
  follow(): void {
    this.local = Atomics.load(this.words, this.localWord)
  }

  /** Lets go of the memory. */
  close(): void {
    this.words = NOTHING
  }
}

/** A ring that this side fills: fill and TX. */
export class XdpProducerRing extends XdpRing {
  protected get localWord(): number {
    return this.producerWord
  }

  /** Entries that can be written. */
  free(): number {
    return this.size - this.pending()
  }

  /** Entries that the kernel has not taken yet. */
  pending(): number {
    // Acquire: pairs with the kernel's release of the consumer index (__xskq_cons_release).
    return (this.local - Atomics.load(this.words, this.consumerWord)) >>> 0
  }

  /** Hands over `count` entries that were written. */
  publish(count: number): void {
    this.local = (this.local + count) >>> 0
    // Release, after the entries: pairs with the kernel's acquire in __xskq_cons_peek.
    Atomics.store(this.words, this.producerWord, this.local)
  }
}

/** A ring that the kernel fills: RX and completion. */
export class XdpConsumerRing extends XdpRing {
  protected get localWord(): number {
    return this.consumerWord
  }

  /** Entries that wait. */
  available(): number {
    // Acquire, before the entries: pairs with the kernel's release in __xskq_prod_submit.
    return (Atomics.load(this.words, this.producerWord) - this.local) >>> 0
  }

  /** Gives `count` entries back. */
  release(count: number): void {
    this.local = (this.local + count) >>> 0
    // Release: the entries were read before the kernel may write there again.
    Atomics.store(this.words, this.consumerWord, this.local)
  }
}
