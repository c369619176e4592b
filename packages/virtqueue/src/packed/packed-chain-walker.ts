import type { Cpu, Window } from '@vring/accessor'
import {
  EAGAIN,
  EINVAL,
  PACKED_DESC_BYTES,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import type { AddressMap } from '@vring/memory'
import type { BrokenReason } from '../broken-reason.ts'
import type { ChainBatch } from '../chain-batch.ts'
import { IndirectTable } from '../indirect-table.ts'

/**
 * Follows chains of a packed ring: descriptors side by side, or those of one indirect table. Each is fetched once, to a
 * private copy, and checked there; every chain is bounded. Source: VirtIO 1.3 sections 2.8.5 to 2.8.8.
 */
export class PackedChainWalker {
  /** Why the last chain that was refused was. */
  refusal: BrokenReason = 'metadata-fault'
  /** Buffer id of the last chain: that of its last descriptor in the ring. */
  id = 0
  private readonly cpu: Cpu
  private readonly queueSize: number
  private readonly indirect: boolean
  private readonly chainMax: number
  private readonly table: IndirectTable
  /** The private copy of one descriptor. */
  private readonly words: Uint32Array
  private segments = 0
  /** First writable segment of the chain in hand, or -1. */
  private writable = -1

  /**
   * @param buffers where indirect tables are
   * @param indirect VIRTIO_F_INDIRECT_DESC is negotiated
   */
  constructor(cpu: Cpu, buffers: AddressMap, queueSize: number, indirect: boolean, chainMax: number) {
    this.cpu = cpu
    this.queueSize = queueSize
    this.indirect = indirect
    this.chainMax = chainMax
    this.table = new IndirectTable(cpu, buffers)
    this.words = this.table.words
  }

  /**
   * Follows the chain whose first descriptor is available at `slot`, with segments from `first` on. Of the first
   * descriptor, `flags` are what was acquired: the copy that is loaded here does not count.
   *
   * @param room ring entries that the chain may take
   * @returns ring entries that it takes, or a negative errno; the end of its segments is in {@link end}
   */
  walk(
    desc: Pick<Window, 'loadWords'>,
    batch: ChainBatch,
    chain: number,
    slot: number,
    flags: number,
    room: number,
  ): number {
    const { words } = this
    const limit = Math.min(room, this.chainMax)
    this.segments = batch.segStart[chain]!
    this.writable = -1
    let at = slot
    let now = flags
    let taken = 0
    for (;;) {
      const status = desc.loadWords(PACKED_DESC_BYTES * at, words, 0, 4)
      if (status < 0) return this.refuse('metadata-fault', status)
      taken++
      batch.descriptors++
      if (taken > 1) now = words[3]! >>> 16
      const last = (now & VIRTQ_DESC_F_NEXT) === 0
      if ((now & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if (!this.indirect) return this.refuse('indirect-not-negotiated')
        if (taken > 1 || !last) return this.refuse('indirect-with-next')
        this.id = words[3]! & 0xffff
        batch.descriptor.set(words, 4 * chain)
        const walked = this.walkTable(batch)
        if (walked < 0) return walked
        break
      }
      if (!this.take(batch, now)) return this.refuse('readable-after-writable')
      if (last) {
        this.id = words[3]! & 0xffff
        break
      }
      if (taken >= limit) return this.refuse('chain-too-long')
      at = at + 1 === this.queueSize ? 0 : at + 1
    }
    if (!this.cpu.predict(this.id < this.queueSize)) return this.refuse('id-out-of-range')
    batch.writeStart[chain] = this.writable < 0 ? this.segments : this.writable
    return taken
  }

  /** Where the segments of the chain that was walked end. */
  get end(): number {
    return this.segments
  }

  /** The table that the descriptor in hand names: every flag but WRITE, and the buffer id, mean nothing in it. */
  private walkTable(batch: ChainBatch): number {
    const { words, table } = this
    const bytes = words[2]!
    const address = words[1]! * 0x1_0000_0000 + words[0]!
    if (bytes === 0 || bytes % PACKED_DESC_BYTES !== 0 || bytes > PACKED_DESC_BYTES * 65536)
      return this.refuse('indirect-length')
    const entries = bytes / PACKED_DESC_BYTES
    if (entries > this.chainMax) return this.refuse('chain-too-long')
    for (let entry = 0; entry < entries; entry++) {
      const status = table.load(address + PACKED_DESC_BYTES * entry)
      if (status < 0) return status === EAGAIN ? EAGAIN : this.refuse('indirect-fault', status)
      batch.descriptors++
      if (!this.take(batch, words[3]! >>> 16)) return this.refuse('readable-after-writable')
    }
    return 0
  }

  /** Makes a segment of the descriptor in hand, unless it is empty; false where it is readable after a writable one. */
  private take(batch: ChainBatch, flags: number): boolean {
    const { words } = this
    if ((flags & VIRTQ_DESC_F_WRITE) !== 0) {
      if (this.writable < 0) this.writable = this.segments
    } else if (this.writable >= 0) return false
    if (words[2]! === 0) return true
    batch.address[this.segments] = words[1]! * 0x1_0000_0000 + words[0]!
    batch.length[this.segments] = words[2]!
    this.segments++
    return true
  }

  private refuse(reason: BrokenReason, status: number = EINVAL): number {
    this.refusal = reason
    return status
  }
}
