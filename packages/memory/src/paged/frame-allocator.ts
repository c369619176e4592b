import { ENOMEM, refused } from '@vring/layout'
import { HUGE_PAGES } from '../page-size.ts'

/**
 * Which frames a run of allocations gets. `contiguous`: neighbours as long as there are any. `scattered`: never
 * neighbours, as on a machine that has been up for long.
 */
export type AllocationPolicy = 'contiguous' | 'scattered'

/**
 * Hands out frame numbers. Deterministic: the lowest free frame in the policy's order. So a freed frame is used again
 * soon: that is when a stale mapping does its damage.
 */
export class FrameAllocator {
  readonly frames: number
  /** Frames from here on are highmem: not in the kernel's linear map. User pages are taken from them first. */
  readonly highmemStart: number
  /** 1: in use. */
  readonly #used: Uint8Array
  /** Frame at each rank of the allocation order, and the rank of each frame. */
  readonly #order: Int32Array
  readonly #rank: Int32Array
  /** No frame of a lower rank is free. */
  #hint = 0
  #free: number

  constructor(frames: number, highmem: number, policy: AllocationPolicy) {
    if (policy !== 'contiguous' && policy !== 'scattered')
      throw refused('ERR_INVALID_ARGUMENT', 'allocator', policy, "'contiguous' or 'scattered'")
    this.frames = frames
    this.highmemStart = frames - highmem
    this.#free = frames
    this.#used = new Uint8Array(frames)
    this.#order = new Int32Array(frames)
    this.#rank = new Int32Array(frames)
    const step = policy === 'contiguous' ? 1 : scatterStep(frames)
    for (let i = 0, at = 0; i < frames; i++, at = (at + step) % frames) {
      const frame = (this.highmemStart + at) % frames
      this.#order[i] = frame
    }
    // Highmem first; the order within each half stays. Sorting by a boolean is stable.
    const low = (frame: number): number => (frame < this.highmemStart ? 1 : 0)
    if (highmem > 0) this.#order.set(Array.from(this.#order).sort((a, b) => low(a) - low(b)))
    this.#order.forEach((frame, rank) => {
      this.#rank[frame] = rank
    })
  }

  /** Free frames. */
  get free(): number {
    return this.#free
  }

  /** @returns a frame number, or -ENOMEM */
  allocate(): number {
    const used = this.#used
    const order = this.#order
    for (let rank = this.#hint; rank < order.length; rank++) {
      const frame = order[rank]
      if (used[frame] !== 0) continue
      used[frame] = 1
      this.#hint = rank + 1
      this.#free--
      return frame
    }
    return ENOMEM
  }

  /** @returns the first of 512 neighbouring frames whose number is a multiple of 512, or -ENOMEM */
  allocateHuge(): number {
    const used = this.#used
    for (let first = 0; first + HUGE_PAGES <= used.length; first += HUGE_PAGES) {
      const run = used.subarray(first, first + HUGE_PAGES)
      if (run.includes(1)) continue
      run.fill(1)
      this.#free -= HUGE_PAGES
      return first
    }
    return ENOMEM
  }

  /** Gives one frame back. */
  release(frame: number): void {
    this.#used[frame] = 0
    this.#free++
    if (this.#rank[frame] < this.#hint) this.#hint = this.#rank[frame]
  }

  isUsed(frame: number): boolean {
    return this.#used[frame] !== 0
  }
}

/** A step near the golden ratio of `frames` that visits every frame before it comes back: never to a neighbour. */
function scatterStep(frames: number): number {
  for (let step = Math.max(2, Math.floor(frames * 0.618)); step < frames - 1; step++)
    if (gcd(step, frames) === 1) return step
  return 1
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
