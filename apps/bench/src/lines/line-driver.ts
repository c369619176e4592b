import {
  AVAIL_IDX_OFFSET,
  AVAIL_RING_OFFSET,
  DESC_BYTES,
  USED_ELEM_BYTES,
  USED_IDX_OFFSET,
  USED_RING_OFFSET,
} from '@vring/layout'
import type { MemoryView } from '@vring/memory'
import { DRIVER, type LineArea, type LineCache } from './line-cache.ts'

/**
 * In which order a driver uses chains again that came back: `fifo`, as a ring of descriptors that is walked; `lifo`, the last
 * one first, as a free list that is a stack; `scattered`, in no order, as after long use of a pool with several users.
 */
export const RECYCLING = ['fifo', 'lifo', 'scattered'] as const
export type Recycling = (typeof RECYCLING)[number]

/** Bytes of a frame that a generator writes again each time: Ethernet, IPv4 and UDP headers. */
const WRITTEN_BYTES = 42

export interface LineDriverOptions {
  readonly view: MemoryView
  readonly cache: LineCache
  /** Byte offsets in `view`. */
  readonly desc: number
  readonly avail: number
  readonly used: number
  readonly queueSize: number
  /** Byte offset of each chain's virtio-net header, and of the frame after it. */
  readonly header: (chain: number) => number
  readonly headerBytes: number
  /** Guest-physical address of byte offset 0. */
  readonly guestBase: number
  readonly bufferBytes: number
  readonly recycling: Recycling
  /** Writes frame and descriptor each time, as testpmd does; false: both were written once, as those of {@link LapDriver}. */
  readonly rewrites: boolean
  readonly random: () => number
}

/** A driver of a split ring, which does what a poll-mode driver does and says which lines it touches. */
export class LineDriver {
  readonly #options: LineDriverOptions
  readonly #free: number[]
  #published = 0
  #reclaimed = 0

  constructor(options: LineDriverOptions) {
    this.#options = options
    this.#free = Array.from({ length: options.queueSize }, (_, chain) => chain)
    for (const chain of this.#free) this.#writeDescriptor(chain)
  }

  /** Makes `count` chains of one buffer available: entries, then avail.idx. */
  publish(count: number): void {
    const { view, avail, queueSize, rewrites, header, headerBytes } = this.#options
    for (let i = 0; i < count; i++) {
      const chain = this.#next()
      if (rewrites) {
        // The header is looked at, and written where it is not zero yet.
        this.#touch('header', header(chain), headerBytes, false)
        this.#touch('frame', header(chain) + headerBytes, WRITTEN_BYTES, true)
        this.#writeDescriptor(chain)
      }
      const entry = avail + AVAIL_RING_OFFSET + 2 * (this.#published & (queueSize - 1))
      this.#touch('driver', entry, 2, true)
      view.u16[entry >>> 1] = chain
      this.#published = (this.#published + 1) & 0xffff
    }
    this.#touch('driver', avail + AVAIL_IDX_OFFSET, 2, true)
    view.u16[(avail + AVAIL_IDX_OFFSET) >>> 1] = this.#published
  }

  /** Takes back what the device used. */
  reclaim(): void {
    const { view, used, queueSize } = this.#options
    this.#touch('device', used + USED_IDX_OFFSET, 2, false)
    const usedIdx = view.u16[(used + USED_IDX_OFFSET) >>> 1]!
    for (; this.#reclaimed !== usedIdx; this.#reclaimed = (this.#reclaimed + 1) & 0xffff) {
      const element = used + USED_RING_OFFSET + USED_ELEM_BYTES * (this.#reclaimed & (queueSize - 1))
      this.#touch('device', element, USED_ELEM_BYTES, false)
      this.#free.push(view.u32[element >>> 2]!)
    }
  }

  #next(): number {
    const { recycling, random } = this.#options
    if (recycling === 'fifo') return this.#free.shift()!
    if (recycling === 'lifo') return this.#free.pop()!
    return this.#free.splice(Math.floor(random() * this.#free.length), 1)[0]!
  }

  #writeDescriptor(chain: number): void {
    const { view, desc, header, guestBase, bufferBytes } = this.#options
    const at = desc + DESC_BYTES * chain
    const address = guestBase + header(chain)
    this.#touch('desc', at, DESC_BYTES, true)
    view.u32.set([address >>> 0, Math.floor(address / 2 ** 32), bufferBytes, 0], at >>> 2)
  }

  #touch(area: LineArea, offset: number, length: number, write: boolean): void {
    this.#options.cache.touch(DRIVER, area, offset, length, write)
  }
}
