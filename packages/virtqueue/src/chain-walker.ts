import type { Cpu, Window } from '@vring/accessor'
import {
  DESC_BYTES,
  EAGAIN,
  EFAULT,
  EINVAL,
  EXDEV,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import { ACCESS_READ, type AddressMap, memoryView } from '@vring/memory'
import type { BrokenReason } from './broken-reason.ts'
import { CHAIN_SEGMENTS_MAX, type ChainBatch } from './chain-batch.ts'

/**
 * Follows chains that are more than one device-readable descriptor. Each descriptor is fetched once, to a private copy, and
 * checked there; every chain is bounded. Source: VirtIO 1.3 section 2.7.5, Linux `vhost_get_vq_desc`.
 */
export class ChainWalker {
  /** Why the last chain that was refused was. */
  refusal: BrokenReason = 'metadata-fault'
  /** Descriptors that the last walk followed, those of length zero too: what it cost. */
  walked = 0
  private readonly cpu: Cpu
  private readonly buffers: AddressMap
  private readonly queueSize: number
  private readonly indirect: boolean
  /** The private copy of one descriptor. */
  private readonly words = new Uint32Array(4)
  private readonly wordsView = memoryView(this.words.buffer)

  /**
   * @param buffers where indirect tables are
   * @param indirect VIRTIO_F_INDIRECT_DESC is negotiated
   */
  constructor(cpu: Cpu, buffers: AddressMap, queueSize: number, indirect: boolean) {
    this.cpu = cpu
    this.buffers = buffers
    this.queueSize = queueSize
    this.indirect = indirect
  }

  /**
   * Follows a chain of any kind from its head descriptor in the batch. Bounds: as many descriptors as the table has
   * entries, and {@link CHAIN_SEGMENTS_MAX}. Descriptors of length zero count: they leave no segment, but each is a load.
   *
   * @returns the end of its segments, or a negative errno
   */
  walk(desc: Window, batch: ChainBatch, chain: number, first: number): number {
    const words = this.words
    for (let word = 0; word < 4; word++) words[word] = batch.descriptor[4 * chain + word]!
    let segments = first
    let writable = -1
    let tableAddress = 0
    let tableSize = this.queueSize
    let limit = Math.min(tableSize, CHAIN_SEGMENTS_MAX)
    let indirect = false
    this.walked = 1
    for (let found = 1; ; found++) {
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
        limit = Math.min(tableSize, CHAIN_SEGMENTS_MAX)
        found = 0
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
      const next = words[3]! >>> 16
      if (!this.cpu.predict(next < tableSize)) return this.refuse('next-out-of-range')
      if (found >= limit) return this.refuse('chain-too-long')
      this.walked++
      const status = indirect
        ? this.loadIndirect(tableAddress + DESC_BYTES * next)
        : desc.loadDescriptor(DESC_BYTES * next, words, 0)
      if (status < 0) return indirect ? status : this.refuse('metadata-fault', status)
    }
    batch.writeStart[chain] = writable < 0 ? segments : writable
    return segments
  }

  /**
   * Copies one descriptor of an indirect table to words. The table is a buffer like any other: any alignment, and it
   * may cross regions.
   */
  private loadIndirect(address: number): number {
    const { cpu } = this
    cpu.stac()
    const status = this.copyIndirect(address)
    cpu.clac()
    return status
  }

  /** With access to user pages allowed; piece by piece where the descriptor crosses pages or regions. */
  private copyIndirect(address: number): number {
    const buffers = this.buffers
    const cpu = this.cpu
    let at = cpu.translate(buffers, address, DESC_BYTES, ACCESS_READ)
    if (at >= 0 && (at & 3) === 0) {
      cpu.loadDescriptor(buffers.view, at, this.words, 0)
      return 0
    }
    if (at >= 0) {
      cpu.copy(this.wordsView, 0, buffers.view, at, DESC_BYTES)
      return 0
    }
    for (let done = 0; done < DESC_BYTES; done += buffers.span) {
      if (at !== EXDEV && at < 0) break
      at = buffers.resolveSpan(address + done, DESC_BYTES - done, ACCESS_READ)
      if (at < 0) break
      cpu.copy(this.wordsView, done, buffers.view, at, buffers.span)
    }
    if (at >= 0) return 0
    if (at === EAGAIN) return EAGAIN
    return this.refuse('indirect-fault', EFAULT)
  }

  private refuse(reason: BrokenReason, status: number = EINVAL): number {
    this.refusal = reason
    return status
  }
}
