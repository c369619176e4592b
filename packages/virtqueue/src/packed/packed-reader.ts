import type { Cpu, RingLease, Window } from '@vring/accessor'
import {
  EINVAL,
  PACKED_DESC_BYTES,
  PACKED_DESC_FLAGS_OFFSET,
  PACKED_DESC_ID_OFFSET,
  PACKED_DESC_LEN_OFFSET,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_USED,
} from '@vring/layout'
import type { BrokenReason } from '../broken-reason.ts'
import { type ChainBatch, SINGLE_FLAGS } from '../chain-batch.ts'
import type { PackedChainWalker } from './packed-chain-walker.ts'
import { availFlags } from './packed-position.ts'

const POSITION_FLAGS = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED
const DESC_HALVES = PACKED_DESC_BYTES >>> 1
const DESC_WORDS = PACKED_DESC_BYTES >>> 2

/** Descriptors that were taken from a ring, in place of the ring. */
class KeptDescriptors implements Pick<Window, 'loadWords'> {
  private readonly words: Uint32Array

  constructor(words: Uint32Array) {
    this.words = words
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    for (let word = 0; word < count; word++) out[index + word] = this.words[(offset >>> 2) + word]!
    return 0
  }
}

/**
 * Reads available chains of a packed ring into a batch. One loop over a lease, for single buffers; one by windows, for
 * everything. Flags are used from one fetch: a wider load after it drops that half.
 */
export class PackedReader {
  /** Where it is: the next descriptor to look at, and the wrap counter of that lap. */
  slot = 0
  wrap = 1
  /** Ring entries of the chains read since {@link begin}. */
  entries = 0
  /** The descriptor at {@link slot} was looked at and is not available. */
  empty = false
  /** Why the chain at {@link slot} is refused, when {@link readByWindows} gave an errno. */
  refusal: BrokenReason = 'metadata-fault'
  private readonly cpu: Cpu
  private readonly desc: Window
  private readonly queueSize: number
  private readonly walker: PackedChainWalker

  constructor(desc: Window, cpu: Cpu, queueSize: number, walker: PackedChainWalker) {
    this.desc = desc
    this.cpu = cpu
    this.queueSize = queueSize
    this.walker = walker
  }

  begin(slot: number, wrap: number): void {
    this.slot = slot
    this.wrap = wrap
    this.entries = 0
    this.empty = false
  }

  /**
   * Inside a hold: reads chains of one buffer of the batch's kind, from chain `from` to `limit`, up to the first descriptor that is
   * not available or of another kind. None of them may lie past the end of the ring.
   *
   * Flags of all, a read barrier, then the rest of each: one barrier where an acquire for each would cost as much as the descriptor.
   *
   * @returns chains in the batch
   */
  readByLease(lease: RingLease, batch: ChainBatch, from: number, limit: number): number {
    const available = this.countSingles(lease, batch.flags, (limit - from) | 0)
    if (available === 0) return from
    // Orders the flags before lengths, ids and addresses; pairs with the driver's release of flags, of each or of a batch's first.
    this.cpu.rmb()
    const read = this.readSingles(lease, batch, from, available)
    if (read < available) this.empty = false
    this.entries += read
    this.slot = (this.slot + read) | 0
    if (this.slot === this.queueSize) {
      this.slot = 0
      this.wrap ^= 1
    }
    return from + read
  }

  /** Inside a hold: how many descriptors from {@link slot} on, at most `most`, are available and one buffer of `kind`. */
  private countSingles(lease: RingLease, kind: number, most: number): number {
    const { cpu } = this
    const { desc16 } = lease
    const wanted = availFlags(this.wrap) | kind
    // Indices are made integers: V8 would check each sum for an overflow that the array's bounds check finds too.
    let half = (lease.descHalf + DESC_HALVES * this.slot + (PACKED_DESC_FLAGS_OFFSET >>> 1)) | 0
    for (let count = 0; count < most; count++) {
      const flags = cpu.load16(desc16, half)
      if ((flags & (POSITION_FLAGS | SINGLE_FLAGS)) !== wanted) {
        this.empty = (flags & POSITION_FLAGS) !== (wanted & POSITION_FLAGS)
        return count
      }
      half = (half + DESC_HALVES) | 0
    }
    return most
  }

  /**
   * Inside a hold, after their flags: reads `count` descriptors from {@link slot} on as chains from `from` on, up to one that is no
   * buffer, or whose id is none.
   *
   * @returns how many
   */
  private readSingles(lease: RingLease, batch: ChainBatch, from: number, count: number): number {
    const { cpu, queueSize } = this
    const { desc16, desc32 } = lease
    let half = (lease.descHalf + DESC_HALVES * this.slot) | 0
    let word = (lease.descWord + DESC_WORDS * this.slot) | 0
    const end = (from + count) | 0
    let chain = from | 0
    for (; chain < end; chain++) {
      const bytes = cpu.load32(desc32, (word + (PACKED_DESC_LEN_OFFSET >>> 2)) | 0)
      const id = cpu.load16(desc16, (half + (PACKED_DESC_ID_OFFSET >>> 1)) | 0)
      if (bytes === 0 || !cpu.predict(id < queueSize)) break
      batch.used[2 * chain] = id
      batch.address[chain] = cpu.load64(desc32, word)
      batch.length[chain] = bytes
      half = (half + DESC_HALVES) | 0
      word = (word + DESC_WORDS) | 0
    }
    return (chain - from) | 0
  }

  /**
   * Reads chains of every kind after the first `from` of the batch, up to chain `limit`. What is malformed or can't be
   * reached ends the batch before it.
   *
   * @param room ring entries that the batch may take
   * @returns chains in the batch, or the errno when the first of all fails
   */
  readByWindows(batch: ChainBatch, from: number, limit: number, room: number): number {
    const { desc, walker } = this
    const { segStart, slots, used, descriptorLimit } = batch
    batch.part()
    segStart[from] = from
    let chain = from
    let status = 0
    // Beyond the limit the columns have room for one more chain of the longest kind: the rest is for the next batch.
    while (chain < limit && this.entries < room && batch.descriptors < descriptorLimit) {
      const flags = desc.load16Acquire(PACKED_DESC_BYTES * this.slot + PACKED_DESC_FLAGS_OFFSET)
      if (flags < 0) {
        status = this.refuse('metadata-fault', flags)
        break
      }
      if ((flags & POSITION_FLAGS) !== availFlags(this.wrap)) {
        this.empty = true
        break
      }
      const entries = walker.walk(desc, batch, chain, this.slot, flags, room - this.entries)
      if (entries < 0) {
        status = this.refuse(walker.refusal, entries)
        break
      }
      used[2 * chain] = walker.id
      slots[chain] = entries
      segStart[chain + 1] = walker.end
      chain++
      this.entries += entries
      this.slot += entries
      if (this.slot >= this.queueSize) {
        this.slot -= this.queueSize
        this.wrap ^= 1
      }
    }
    return chain > 0 ? chain : status
  }

  /** Reads the chain whose descriptors were kept, four words each; 1, or a negative errno. */
  readTaken(batch: ChainBatch, kept: Uint32Array): number {
    const { walker } = this
    const entries = kept.length / DESC_WORDS
    batch.part()
    batch.segStart[0] = 0
    const taken = walker.walk(new KeptDescriptors(kept), batch, 0, 0, kept[3]! >>> 16, entries)
    // One that ends before the last of them was not kept by a device.
    if (taken !== entries) return taken < 0 ? taken : EINVAL
    batch.used[0] = walker.id
    batch.slots[0] = batch.entries = entries
    batch.segStart[1] = walker.end
    return 1
  }

  private refuse(reason: BrokenReason, status: number): number {
    this.refusal = reason
    return status
  }
}
