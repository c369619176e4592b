import {
  type Accessor,
  type Cpu,
  load16Batch,
  load16Each,
  loadDescriptorBatch,
  loadDescriptorEach,
  PLAIN_FLAGS,
} from '@vring/accessor'
import { AVAIL_RING_OFFSET, EINVAL, VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vring/layout'
import type { BrokenReason } from './broken-reason.ts'
import type { ChainBatch } from './chain-batch.ts'
import type { ChainWalker } from './chain-walker.ts'

/** Flags of a descriptor that is more than one buffer. */
const NOT_SINGLE = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT

/**
 * Reads the chains behind avail entries into a batch: entry, head descriptor, and what hangs on it. Everything is fetched
 * once, and the private copy is checked.
 *
 * Chains of one buffer of the kind that the batch is for are read in one loop where the accessor has one (`Accessor.loadPlain`). From the
 * first other one on, each step is a flat loop of its own: the loads of many chains are in flight side by side while their
 * cache lines come over from the driver's core, and V8 keeps in registers what no step of a loop changes.
 */
export class ChainReader {
  /** Why the chain behind the last one read is refused, when {@link read} gave an errno. */
  refusal: BrokenReason = 'metadata-fault'
  private readonly cpu: Cpu
  private readonly queueSize: number
  private readonly walker: ChainWalker
  private readonly oneByOne: boolean
  private accessor: Accessor

  constructor(accessor: Accessor, cpu: Cpu, queueSize: number, walker: ChainWalker, oneByOne: boolean) {
    this.accessor = accessor
    this.cpu = cpu
    this.queueSize = queueSize
    this.walker = walker
    this.oneByOne = oneByOne
  }

  /** From now on the ring is reached through another accessor. */
  use(accessor: Accessor): void {
    this.accessor = accessor
  }

  /**
   * Reads up to `limit` chains, at most the batch's capacity, from avail index `nextAvail` on. What is malformed or can't
   * be reached ends the batch in front of it.
   *
   * @returns how many, or the errno when it is the first that fails
   */
  read(batch: ChainBatch, nextAvail: number, limit: number): number {
    batch.walked = 0
    const ahead = this.readPlain(batch, nextAvail, limit)
    if (ahead === limit) return end(batch, ahead, ahead, 0)
    const heads = this.loadHeads(batch, nextAvail, ahead, limit)
    if (heads <= ahead) return end(batch, ahead, ahead, heads)
    const chains = this.loadDescriptors(batch, ahead, heads)
    if (chains <= ahead) return end(batch, ahead, ahead, chains)
    const plain = takePlain(batch, ahead, chains)
    if (plain < chains) return this.takeChains(batch, plain, chains)
    if (!batch.uniform) batch.restore()
    return end(batch, plain, plain, 0)
  }

  /**
   * Reads plain chains in one go, up to the first that is not; how many. That one is loaded again: nothing of it was kept.
   */
  private readPlain(batch: ChainBatch, nextAvail: number, limit: number): number {
    const { accessor, queueSize } = this
    if (accessor.loadPlain === undefined || this.oneByOne === true || !batch.uniform) return 0
    const slot = nextAvail & (queueSize - 1)
    const toEnd = (queueSize - slot) | 0
    // As integers: with Math.min the loops of an accessor would count in doubles.
    if (limit <= toEnd) return accessor.loadPlain(slot, limit, queueSize, batch, 0)
    const first = accessor.loadPlain(slot, toEnd, queueSize, batch, 0)
    return first < toEnd ? first : first + accessor.loadPlain(0, (limit - toEnd) | 0, queueSize, batch, toEnd)
  }

  /** Loads and checks heads from chain `from` to `limit`; the chain behind the last, or the errno of the first. */
  private loadHeads(batch: ChainBatch, nextAvail: number, from: number, limit: number): number {
    const { accessor, queueSize } = this
    const { avail } = accessor
    const heads = batch.entry
    let loaded = from
    while (loaded < limit) {
      const slot = (nextAvail + loaded) & (queueSize - 1)
      const toEnd = queueSize - slot
      const wanted = limit - loaded < toEnd ? (limit - loaded) | 0 : toEnd | 0
      const offset = AVAIL_RING_OFFSET + 2 * slot
      const got =
        this.oneByOne === true
          ? load16Each(avail, offset, heads, loaded, wanted)
          : load16Batch(avail, offset, heads, loaded, wanted)
      if (got <= 0) return loaded > from ? this.checkHeads(heads, from, loaded) : this.refuse('metadata-fault', got)
      loaded += got
    }
    return this.checkHeads(heads, from, loaded)
  }

  private checkHeads(heads: Uint16Array, from: number, upTo: number): number {
    const { cpu, queueSize } = this
    let valid = from
    for (; valid < upTo; valid++) if (!cpu.predict(heads[valid]! < queueSize)) break
    return valid === from ? this.refuse('head-out-of-range', EINVAL) : valid
  }

  /** Loads head descriptors from chain `from` to `upTo`; the chain behind the last, or the errno of the first. */
  private loadDescriptors(batch: ChainBatch, from: number, upTo: number): number {
    const { desc } = this.accessor
    const { entry, descriptor } = batch
    const loaded =
      this.oneByOne === true
        ? loadDescriptorEach(desc, entry, descriptor, from, upTo - from)
        : loadDescriptorBatch(desc, entry, descriptor, from, upTo - from)
    return loaded < 0 ? this.refuse('metadata-fault', loaded) : from + loaded
  }

  /** Goes on behind `plain` plain chains, with chains of every kind: segment and chain have parted. */
  private takeChains(batch: ChainBatch, plain: number, upTo: number): number {
    const { desc } = this.accessor
    const { entry, used, descriptor, address, length, segmentLimit, segStart, writeStart } = batch
    // The plain ones in front still have the places that an earlier batch gave them.
    if (!batch.uniform) batch.place(plain)
    batch.uniform = false
    let segments = plain
    let chain = plain
    // Beyond the limit the columns have room for one more chain of the longest kind: the rest is for the next batch.
    for (; chain < upTo && segments < segmentLimit && batch.walked < segmentLimit; chain++) {
      const word = 4 * chain
      const flags = descriptor[word + 3]!
      used[2 * chain] = entry[chain]!
      segStart[chain] = segments
      if ((flags & NOT_SINGLE) === 0 && descriptor[word + 2]! !== 0) {
        address[segments] = descriptor[word + 1]! * 0x1_0000_0000 + descriptor[word]!
        length[segments] = descriptor[word + 2]!
        writeStart[chain] = (flags & VIRTQ_DESC_F_WRITE) === 0 ? segments + 1 : segments
        segments++
        continue
      }
      const last = this.walker.walk(desc, batch, chain, segments)
      batch.walked += this.walker.walked
      if (last < 0) return end(batch, chain, segments, this.refuse(this.walker.refusal, last))
      segments = last
    }
    return end(batch, chain, segments, 0)
  }

  private refuse(reason: BrokenReason, status: number): number {
    this.refusal = reason
    return status
  }
}

/** Makes a segment of each plain chain from `from` on, up to the first that is another kind. */
function takePlain(batch: ChainBatch, from: number, upTo: number): number {
  const { flags, entry, used, descriptor, address, length } = batch
  let chain = from
  for (; chain < upTo; chain++) {
    const word = 4 * chain
    const bytes = descriptor[word + 2]!
    if ((descriptor[word + 3]! & PLAIN_FLAGS) !== flags || bytes === 0) break
    used[2 * chain] = entry[chain]!
    address[chain] = descriptor[word + 1]! * 0x1_0000_0000 + descriptor[word]!
    length[chain] = bytes
  }
  return chain
}

/** Ends a batch. Chains taken so far count; what stopped it is met again by the call that finds it in front. */
function end(batch: ChainBatch, count: number, segments: number, status: number): number {
  if (!batch.uniform) batch.segStart[count] = segments
  batch.count = count
  return count > 0 ? count : status
}
