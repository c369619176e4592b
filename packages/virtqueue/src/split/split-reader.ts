import type { Accessor, Cpu, RingLease } from '@vring/accessor'
import {
  AVAIL_RING_OFFSET,
  DESC_BYTES,
  EINVAL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import type { BrokenReason } from '../broken-reason.ts'
import { type ChainBatch, SINGLE_FLAGS } from '../chain-batch.ts'
import type { SplitChainWalker } from './split-chain-walker.ts'

/** Flags of a descriptor that is more than one buffer. */
const NOT_SINGLE = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT

/**
 * Reads the chains of avail entries into a batch: entry, head descriptor, and what hangs on it. Everything is fetched
 * once, and the private copy is checked. One loop over a lease, for single buffers; one by windows, for everything.
 */
export class SplitReader {
  /** Why the chain after the last one read is refused, when {@link readByWindows} gave an errno. */
  refusal: BrokenReason = 'metadata-fault'
  private readonly cpu: Cpu
  private readonly accessor: Accessor
  private readonly queueSize: number
  private readonly walker: SplitChainWalker
  private readonly nospec: boolean

  constructor(accessor: Accessor, cpu: Cpu, queueSize: number, walker: SplitChainWalker, nospec: boolean) {
    this.accessor = accessor
    this.cpu = cpu
    this.queueSize = queueSize
    this.walker = walker
    this.nospec = nospec
  }

  /**
   * Inside a hold: reads chains of one buffer of the batch's kind, from chain `from` of the batch to `limit`. It stops
   * at the first other one, of which nothing is kept.
   *
   * @param nextAvail avail index of the batch's first chain
   * @returns chains in the batch
   */
  readByLease(lease: RingLease, batch: ChainBatch, nextAvail: number, from: number, limit: number): number {
    const { cpu, queueSize, nospec } = this
    const { driver16, desc32 } = lease
    const { flags, used, address, length } = batch
    const ring = lease.driverHalf + (AVAIL_RING_OFFSET >>> 1)
    const table = lease.descWord
    const mask = queueSize - 1
    let chain = from | 0
    // Indices are made integers: V8 would check each sum for an overflow that the array's bounds check finds too.
    for (; chain < limit; chain++) {
      const head = cpu.load16(driver16, (ring + ((nextAvail + chain) & mask)) | 0)
      if (!cpu.predict(head < queueSize)) break
      // Compared: V8 does not know that the field is a boolean, and would ask of every head what kind of value it is.
      const word = (table + 4 * (nospec === true ? cpu.indexNospec(head, queueSize) : head)) | 0
      const bytes = cpu.load32(desc32, (word + 2) | 0)
      if ((cpu.load32(desc32, (word + 3) | 0) & SINGLE_FLAGS) !== flags || bytes === 0) break
      used[2 * chain] = head
      address[chain] = cpu.load64(desc32, word)
      length[chain] = bytes
    }
    return chain
  }

  /**
   * Reads chains of every kind after the first `from` of the batch, up to chain `limit`. What is malformed or can't be
   * reached ends the batch before it. Each step is a flat loop of its own, so that the loads of many chains are under way
   * side by side.
   *
   * @returns chains in the batch, or the errno when the first of all fails
   */
  readByWindows(batch: ChainBatch, nextAvail: number, from: number, limit: number): number {
    const heads = this.loadHeads(batch, nextAvail, from, limit)
    if (heads <= from) return from > 0 ? from : heads
    const chains = this.loadDescriptors(batch, from, heads)
    if (chains <= from) return from > 0 ? from : chains
    return this.takeChains(batch, from, chains)
  }

  /** Reads the chain of a head that an avail entry named once; 1, or a negative errno. */
  readTaken(batch: ChainBatch, head: number): number {
    if (!this.cpu.predict(head < this.queueSize)) return this.refuse('head-out-of-range', EINVAL)
    batch.entry[0] = head
    const loaded = this.loadDescriptors(batch, 0, 1)
    return loaded < 0 ? loaded : this.takeChains(batch, 0, 1)
  }

  /** Loads and checks heads from chain `from` to `limit`; the chain after the last, or the errno of the first. */
  private loadHeads(batch: ChainBatch, nextAvail: number, from: number, limit: number): number {
    const { cpu, queueSize } = this
    const { driver } = this.accessor
    const { entry } = batch
    const last = limit | 0
    let loaded = from | 0
    for (; loaded < last; loaded++) {
      const head = driver.load16((AVAIL_RING_OFFSET + 2 * ((nextAvail + loaded) & (queueSize - 1))) | 0)
      if (head < 0) return loaded > from ? loaded : this.refuse('metadata-fault', head)
      if (!cpu.predict(head < queueSize)) return loaded > from ? loaded : this.refuse('head-out-of-range', EINVAL)
      entry[loaded] = head
    }
    return last
  }

  /** Loads head descriptors from chain `from` to `upTo`; the chain after the last, or the errno of the first. */
  private loadDescriptors(batch: ChainBatch, from: number, upTo: number): number {
    const { cpu, queueSize, nospec } = this
    const { desc } = this.accessor
    const { entry, descriptor } = batch
    const last = upTo | 0
    for (let chain = from | 0; chain < last; chain++) {
      const head = nospec === true ? cpu.indexNospec(entry[chain]!, queueSize) : entry[chain]!
      const status = desc.loadWords((DESC_BYTES * head) | 0, descriptor, (4 * chain) | 0, 4)
      if (status < 0) return chain > from ? chain : this.refuse('metadata-fault', status)
    }
    return upTo
  }

  /** Makes segments of the chains from `from` on, whose head descriptors are in the batch. */
  private takeChains(batch: ChainBatch, from: number, upTo: number): number {
    const { flags: kind, used, entry, descriptor, address, length } = batch
    let chain = from
    for (; chain < upTo; chain++) {
      const word = 4 * chain
      const bytes = descriptor[word + 2]!
      if ((descriptor[word + 3]! & SINGLE_FLAGS) !== kind || bytes === 0) break
      used[2 * chain] = entry[chain]!
      address[chain] = descriptor[word + 1]! * 0x1_0000_0000 + descriptor[word]!
      length[chain] = bytes
    }
    batch.descriptors = batch.entries = chain
    return chain === upTo ? chain : this.takeOthers(batch, chain, upTo)
  }

  /** Goes on from chain `from` with chains of every kind: segment and chain have parted. */
  private takeOthers(batch: ChainBatch, from: number, upTo: number): number {
    const { desc } = this.accessor
    const { entry, used, descriptor, address, length, descriptorLimit, segStart, writeStart } = batch
    batch.part()
    let segments = from
    let chain = from
    // Beyond the limit the columns have room for one more chain of the longest kind: the rest is for the next batch.
    for (; chain < upTo && batch.descriptors < descriptorLimit; chain++) {
      const word = 4 * chain
      const flags = descriptor[word + 3]!
      used[2 * chain] = entry[chain]!
      segStart[chain] = segments
      if ((flags & NOT_SINGLE) === 0 && descriptor[word + 2]! !== 0) {
        address[segments] = descriptor[word + 1]! * 0x1_0000_0000 + descriptor[word]!
        length[segments] = descriptor[word + 2]!
        writeStart[chain] = (flags & VIRTQ_DESC_F_WRITE) === 0 ? segments + 1 : segments
        batch.descriptors++
        batch.entries++
        segments++
        continue
      }
      const { entries } = batch
      const last = this.walker.walk(desc, batch, chain, segments)
      if (last < 0) {
        batch.entries = entries
        segStart[chain] = segments
        return chain > 0 ? chain : this.refuse(this.walker.refusal, last)
      }
      segments = last
    }
    segStart[chain] = segments
    return chain
  }

  private refuse(reason: BrokenReason, status: number): number {
    this.refusal = reason
    return status
  }
}
