import type { Area } from '@vring/layout'
import type { MemoryView } from '@vring/memory'
import { LineBuffers, type LineBuffersOptions } from './line-buffers.ts'
import { DRIVER, type LineArea } from './line-cache.ts'

export interface LineDriverOptions extends LineBuffersOptions {
  readonly view: MemoryView
  /** Byte offset of each area in `view`. */
  readonly areas: Readonly<Record<Area, number>>
  readonly inOrder: boolean
}

/** A driver that does what a poll-mode driver does and says which lines it touches. */
export abstract class LineDriver {
  protected readonly options: LineDriverOptions
  protected readonly buffers: LineBuffers
  /** Chains that are out, in the order in which they were published. */
  protected readonly out: number[] = []

  constructor(options: LineDriverOptions) {
    this.options = options
    this.buffers = new LineBuffers(options)
  }

  /** Makes `count` chains of one buffer available. */
  abstract publish(count: number): void

  /** Takes back what the device used. */
  abstract reclaim(): void

  /**
   * Takes back the chains that a used element stands for: in order, all up to the one that it names.
   *
   * @returns how many
   */
  protected giveBack(id: number): number {
    const at = this.out.indexOf(id)
    if (at < 0) throw new Error(`chain ${id} is used and not out`)
    const chains = this.options.inOrder ? this.out.splice(0, at + 1) : this.out.splice(at, 1)
    for (const chain of chains) this.buffers.giveBack(chain)
    return chains.length
  }

  protected touch(area: LineArea, offset: number, length: number, write: boolean): void {
    this.options.cache.touch(DRIVER, area, offset, length, write)
  }
}
