import type { Cpu } from '@vring/accessor'
import { DESC_BYTES, EAGAIN, EFAULT, EXDEV } from '@vring/layout'
import { ACCESS_READ, type AddressMap, memoryView } from '@vring/memory'

/**
 * Reads descriptors of indirect tables. A table is a buffer like any other: any alignment, and it may cross regions.
 * Source: VirtIO 1.3 sections 2.7.5.3 and 2.8.7.
 */
export class IndirectTable {
  /** The private copy of the descriptor that {@link load} fetched. */
  readonly words: Uint32Array = new Uint32Array(4)
  private readonly wordsView = memoryView(this.words.buffer)
  private readonly cpu: Cpu
  private readonly buffers: AddressMap

  /** @param buffers where indirect tables are */
  constructor(cpu: Cpu, buffers: AddressMap) {
    this.cpu = cpu
    this.buffers = buffers
  }

  /**
   * Copies one descriptor to {@link words}.
   *
   * @returns 0, -EAGAIN (a translation is missing), or -EFAULT
   */
  load(address: number): number {
    const { cpu } = this
    cpu.stac()
    const status = this.copy(address)
    cpu.clac()
    return status
  }

  /** With access to user pages allowed; piece by piece where the descriptor crosses pages or regions. */
  private copy(address: number): number {
    const { buffers, cpu, words } = this
    let at = cpu.translate(buffers, address, DESC_BYTES, ACCESS_READ)
    if (at >= 0) {
      if ((at & 3) === 0) cpu.loadWords(buffers.view.u32, at >>> 2, words, 0, 4)
      else cpu.copy(this.wordsView, 0, buffers.view, at, DESC_BYTES)
      return 0
    }
    for (let done = 0; done < DESC_BYTES; done += buffers.span) {
      if (at !== EXDEV && at < 0) break
      at = buffers.resolveSpan(address + done, DESC_BYTES - done, ACCESS_READ)
      if (at < 0) break
      cpu.copy(this.wordsView, done, buffers.view, at, buffers.span)
    }
    if (at >= 0) return 0
    return at === EAGAIN ? EAGAIN : EFAULT
  }
}
