import { AVAIL_IDX_OFFSET, AVAIL_RING_OFFSET, USED_IDX_OFFSET, USED_RING_OFFSET } from '@vring/layout'
import type { MemoryView } from '@vring/memory'

/**
 * Packets after which every index of a ring is what it was at the beginning: the free-running indices have 16 bits, and
 * rings and chains are powers of two. State after any number of laps can be compared byte by byte.
 */
export const LAP_PACKETS = 65_536

/** Byte offsets in `view` of the areas as the driver reaches them, and which chains there are. */
export interface LapDriverOptions {
  readonly view: MemoryView
  readonly avail: number
  readonly used: number
  readonly queueSize: number
  readonly chains: number
  /** Descriptors from one chain's head to the next one's. */
  readonly headStep: number
}

/**
 * The driver of the in-process cells: publishes buffers in order and takes used elements back, flat over typed arrays, so
 * that what is measured is the device. Its descriptors were written before: a driver that recycles its buffers.
 */
export class LapDriver {
  private readonly u16: Uint16Array
  private readonly u32: Uint32Array
  private readonly availIdx: number
  private readonly availRing: number
  private readonly usedIdx: number
  private readonly usedRing: number
  private readonly slotMask: number
  private readonly chainMask: number
  private readonly headStep: number
  private readonly sums = new Float64Array(1)
  private published = 0
  private reclaimed = 0

  constructor(options: LapDriverOptions) {
    this.u16 = options.view.u16
    this.u32 = options.view.u32
    this.availIdx = (options.avail + AVAIL_IDX_OFFSET) >>> 1
    this.availRing = (options.avail + AVAIL_RING_OFFSET) >>> 1
    this.usedIdx = (options.used + USED_IDX_OFFSET) >>> 1
    this.usedRing = (options.used + USED_RING_OFFSET) >>> 2
    this.slotMask = options.queueSize - 1
    this.chainMask = options.chains - 1
    this.headStep = options.headStep
  }

  /** Sum of the ids that were taken back: one figure that a lost or doubled element changes. */
  get idSum(): number {
    return this.sums[0]!
  }

  set idSum(sum: number) {
    this.sums[0] = sum
  }

  /** Makes `count` chains available: entries first, then avail.idx with release; pairs with the device's acquire. */
  publish(count: number): void {
    const u16 = this.u16
    const ring = this.availRing
    const slotMask = this.slotMask
    const chainMask = this.chainMask
    const headStep = this.headStep
    let published = this.published
    for (let i = 0; i < count; i++) {
      u16[ring + (published & slotMask)] = (published & chainMask) * headStep
      published = (published + 1) & 0xffff
    }
    this.published = published
    Atomics.store(u16, this.availIdx, published)
  }

  /**
   * Takes back what the device used.
   *
   * @returns how many chains
   */
  reclaim(): number {
    const u32 = this.u32
    const ring = this.usedRing
    const slotMask = this.slotMask
    // Acquire: pairs with the device's release of used.idx after the elements.
    const usedIdx = Atomics.load(this.u16, this.usedIdx)
    const from = this.reclaimed
    let sum = 0
    for (let index = from; index !== usedIdx; index = (index + 1) & 0xffff) sum += u32[ring + 2 * (index & slotMask)]!
    this.sums[0]! += sum
    this.reclaimed = usedIdx
    return (usedIdx - from) & 0xffff
  }
}
