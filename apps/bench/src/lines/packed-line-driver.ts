import { PACKED_DESC_BYTES, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from '@vring/layout'
import { LineDriver } from './line-driver.ts'

const POSITION = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED

/**
 * A driver of a packed ring: a buffer's id is its chain. It writes descriptors each time, as the device writes over
 * them.
 */
export class PackedLineDriver extends LineDriver {
  /** Descriptors so far: slot and wrap counter follow. */
  #published = 0
  #reclaimed = 0

  /** The first descriptor last. */
  publish(count: number): void {
    const chains = Array.from({ length: count }, () => this.buffers.take())
    for (let i = 1; i < count; i++) this.#write(this.#published + i, chains[i]!)
    this.#write(this.#published, chains[0]!)
    this.out.push(...chains)
    this.#published += count
  }

  reclaim(): void {
    const { view } = this.options
    while (this.out.length > 0) {
      const { at, wrap } = this.#place(this.#reclaimed)
      this.touch('desc', at, PACKED_DESC_BYTES, false)
      const last = view.u32[(at >>> 2) + 3]!
      if (((last >>> 16) & POSITION) !== (wrap === 1 ? POSITION : 0)) return
      this.#reclaimed += this.giveBack(last & 0xffff)
    }
  }

  #write(index: number, chain: number): void {
    const { at, wrap } = this.#place(index)
    const flags = wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED
    this.touch('desc', at, PACKED_DESC_BYTES, true)
    this.options.view.u32.set(this.buffers.descriptor(chain, (flags << 16) | chain), at >>> 2)
  }

  /** Where the descriptor of this index is, and the wrap counter of its lap. */
  #place(index: number): { readonly at: number; readonly wrap: number } {
    const { areas, queueSize } = this.options
    const lap = Math.floor(index / queueSize)
    return { at: areas.desc + PACKED_DESC_BYTES * (index % queueSize), wrap: 1 - (lap % 2) }
  }
}
