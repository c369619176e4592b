import {
  AVAIL_IDX_OFFSET,
  AVAIL_RING_OFFSET,
  DESC_BYTES,
  USED_ELEM_BYTES,
  USED_IDX_OFFSET,
  USED_RING_OFFSET,
} from '@vring/layout'
import { LineDriver, type LineDriverOptions } from './line-driver.ts'

/** A driver of a split ring. */
export class SplitLineDriver extends LineDriver {
  #published = 0
  #reclaimed = 0

  constructor(options: LineDriverOptions) {
    super(options)
    for (let chain = 0; chain < options.queueSize; chain++) this.#writeDescriptor(chain)
  }

  /** Entries, then avail.idx. */
  publish(count: number): void {
    const { view, areas, queueSize, rewrites } = this.options
    for (let i = 0; i < count; i++) {
      const chain = this.buffers.take()
      if (rewrites) this.#writeDescriptor(chain)
      const entry = areas.driver + AVAIL_RING_OFFSET + 2 * (this.#published & (queueSize - 1))
      this.touch('driver', entry, 2, true)
      view.u16[entry >>> 1] = chain
      this.out.push(chain)
      this.#published = (this.#published + 1) & 0xffff
    }
    this.touch('driver', areas.driver + AVAIL_IDX_OFFSET, 2, true)
    view.u16[(areas.driver + AVAIL_IDX_OFFSET) >>> 1] = this.#published
  }

  reclaim(): void {
    const { view, areas, queueSize } = this.options
    this.touch('device', areas.device + USED_IDX_OFFSET, 2, false)
    const usedIdx = view.u16[(areas.device + USED_IDX_OFFSET) >>> 1]!
    while (this.#reclaimed !== usedIdx) {
      const element = areas.device + USED_RING_OFFSET + USED_ELEM_BYTES * (this.#reclaimed & (queueSize - 1))
      this.touch('device', element, USED_ELEM_BYTES, false)
      this.#reclaimed = (this.#reclaimed + this.giveBack(view.u32[element >>> 2]!)) & 0xffff
    }
  }

  #writeDescriptor(chain: number): void {
    const { view, areas } = this.options
    const at = areas.desc + DESC_BYTES * chain
    this.touch('desc', at, DESC_BYTES, true)
    view.u32.set(this.buffers.descriptor(chain, 0), at >>> 2)
  }
}
