import type { Cpu, Window } from '@vring/accessor'
import { DESC_BYTES, EAGAIN, EINVAL, VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vring/layout'
import type { AddressMap } from '@vring/memory'
import type { BrokenReason } from '../broken-reason.ts'
import type { ChainBatch } from '../chain-batch.ts'
import { IndirectTable } from '../indirect-table.ts'

/**
 * Follows chains of a split ring that are more than one buffer. Each descriptor is fetched once, to a private copy, and
 * checked there; every chain is bounded. Source: VirtIO 1.3 section 2.7.5, Linux `vhost_get_vq_desc`.
 */
export class SplitChainWalker {
  /** Why the last chain that was refused was. */
  refusal: BrokenReason = 'metadata-fault'
  private readonly cpu: Cpu
  private readonly queueSize: number
  private readonly indirect: boolean
  private readonly nospec: boolean
  private readonly chainMax: number
  private readonly table: IndirectTable
  /** The private copy of one descriptor. */
  private readonly words: Uint32Array

  /**
   * @param buffers where indirect tables are
   * @param indirect VIRTIO_F_INDIRECT_DESC is negotiated
   * @param nospec mask `next`
   */
  constructor(cpu: Cpu, buffers: AddressMap, queueSize: number, indirect: boolean, nospec: boolean, chainMax: number) {
    this.cpu = cpu
    this.queueSize = queueSize
    this.indirect = indirect
    this.nospec = nospec
    this.chainMax = chainMax
    this.table = new IndirectTable(cpu, buffers)
    this.words = this.table.words
  }

  /**
   * Follows a chain of any kind from its head descriptor in the batch. At most as many descriptors as its table has, and
   * `chainMax`, empty ones too.
   *
   * @returns the end of its segments, or a negative errno
   */
  walk(desc: Window, batch: ChainBatch, chain: number, first: number): number {
    const { words, cpu } = this
    for (let word = 0; word < 4; word++) words[word] = batch.descriptor[4 * chain + word]!
    let segments = first
    let writable = -1
    let tableAddress = 0
    let tableSize = this.queueSize
    let indirect = false
    let limit = Math.min(tableSize, this.chainMax)
    for (let walked = 1; ; walked++) {
      batch.descriptors++
      if (!indirect) batch.entries++
      const flags = words[3]! & 0xffff
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if (!this.indirect) return this.refuse('indirect-not-negotiated')
        if (indirect) return this.refuse('indirect-nested')
        if ((flags & VIRTQ_DESC_F_NEXT) !== 0) return this.refuse('indirect-with-next')
        const bytes = words[2]!
        if (bytes === 0 || bytes % DESC_BYTES !== 0 || bytes > DESC_BYTES * 65536) return this.refuse('indirect-length')
        indirect = true
        tableAddress = words[1]! * 0x1_0000_0000 + words[0]!
        tableSize = bytes / DESC_BYTES
        // The descriptor that names the table is none of its entries.
        limit = walked + Math.min(tableSize, this.chainMax)
        const status = this.loadIndirect(tableAddress)
        if (status < 0) return status
        continue
      }
      if ((flags & VIRTQ_DESC_F_WRITE) !== 0) {
        if (writable < 0) writable = segments
      } else if (writable >= 0) return this.refuse('readable-after-writable')
      if (words[2]! !== 0) {
        batch.address[segments] = words[1]! * 0x1_0000_0000 + words[0]!
        batch.length[segments] = words[2]!
        segments++
      }
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) break
      const given = words[3]! >>> 16
      if (!cpu.predict(given < tableSize)) return this.refuse('next-out-of-range')
      if (walked >= limit) return this.refuse('chain-too-long')
      const next = this.nospec ? cpu.indexNospec(given, tableSize) : given
      const status = indirect
        ? this.loadIndirect(tableAddress + DESC_BYTES * next)
        : desc.loadWords(DESC_BYTES * next, words, 0, 4)
      if (status < 0) return indirect ? status : this.refuse('metadata-fault', status)
    }
    batch.writeStart[chain] = writable < 0 ? segments : writable
    return segments
  }

  private loadIndirect(address: number): number {
    const status = this.table.load(address)
    return status === 0 || status === EAGAIN ? status : this.refuse('indirect-fault', status)
  }

  private refuse(reason: BrokenReason, status: number = EINVAL): number {
    this.refusal = reason
    return status
  }
}
