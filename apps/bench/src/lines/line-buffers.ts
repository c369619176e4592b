import { DRIVER, type LineCache } from './line-cache.ts'

/**
 * In which order a driver uses chains again that came back. `fifo` is a ring of descriptors that is walked. `lifo` is
 * the last one first, as in a free list that is a stack. `scattered` is no order, as after long use of a pool with
 * several users.
 */
export const RECYCLING = ['fifo', 'lifo', 'scattered'] as const
export type Recycling = (typeof RECYCLING)[number]

/** Bytes of a frame that a generator writes again each time: Ethernet, IPv4 and UDP headers. */
const WRITTEN_BYTES = 42

export interface LineBuffersOptions {
  readonly cache: LineCache
  readonly queueSize: number
  /** Byte offset of each chain's virtio-net header, and of the frame after it. */
  readonly header: (chain: number) => number
  readonly headerBytes: number
  /** Guest-physical address of byte offset 0. */
  readonly guestBase: number
  readonly bufferBytes: number
  readonly recycling: Recycling
  /** Writes frames each time, as testpmd does; false: they were written once, as those of a lap driver. */
  readonly rewrites: boolean
  readonly random: () => number
}

/** The buffers of a driver that says which lines it touches: one for each chain of one descriptor. */
export class LineBuffers {
  readonly #options: LineBuffersOptions
  readonly #free: number[]

  constructor(options: LineBuffersOptions) {
    this.#options = options
    this.#free = Array.from({ length: options.queueSize }, (_, chain) => chain)
  }

  /** Takes a chain that is free, and writes its frame. */
  take(): number {
    const { recycling, random, rewrites, header, headerBytes, cache } = this.#options
    const free = this.#free
    const chain =
      recycling === 'fifo'
        ? free.shift()!
        : recycling === 'lifo'
          ? free.pop()!
          : free.splice(Math.floor(random() * free.length), 1)[0]!
    if (!rewrites) return chain
    // The header is looked at, and written where it is not zero yet.
    cache.touch(DRIVER, 'header', header(chain), headerBytes, false)
    cache.touch(DRIVER, 'frame', header(chain) + headerBytes, WRITTEN_BYTES, true)
    return chain
  }

  giveBack(chain: number): void {
    this.#free.push(chain)
  }

  /** A descriptor of the chain's buffer, in words; the last one is the caller's. */
  descriptor(chain: number, last: number): number[] {
    const { header, guestBase, bufferBytes } = this.#options
    const address = guestBase + header(chain)
    return [address >>> 0, Math.floor(address / 2 ** 32), bufferBytes, last >>> 0]
  }
}
