import { AVAIL_IDX_OFFSET, AVAIL_RING_OFFSET, USED_IDX_OFFSET, USED_RING_OFFSET } from '@vring/layout'
import type { MemoryView } from '@vring/memory'
import type { LapDriver, LapPlan } from './lap-driver.ts'

/** The driver of a split ring, whose descriptors were written before. */
export class SplitLapDriver implements LapDriver {
  private readonly u16: Uint16Array
  private readonly u32: Uint32Array
  private readonly availIdx: number
  private readonly availRing: number
  private readonly usedIdx: number
  private readonly usedRing: number
  private readonly slotMask: number
  private readonly chainMask: number
  private readonly entries: number
  private readonly inOrder: boolean
  private readonly sums = new Float64Array(1)
  private published = 0
  private reclaimed = 0

  constructor({ areas, queueSize, chains, entries, inOrder }: LapPlan, view: MemoryView) {
    this.u16 = view.u16
    this.u32 = view.u32
    this.availIdx = (areas.driver + AVAIL_IDX_OFFSET) >>> 1
    this.availRing = (areas.driver + AVAIL_RING_OFFSET) >>> 1
    this.usedIdx = (areas.device + USED_IDX_OFFSET) >>> 1
    this.usedRing = (areas.device + USED_RING_OFFSET) >>> 2
    this.slotMask = queueSize - 1
    this.chainMask = chains - 1
    this.entries = entries
    this.inOrder = inOrder
  }

  get idSum(): number {
    return this.sums[0]!
  }

  set idSum(sum: number) {
    this.sums[0] = sum
  }

  /** Entries first, then avail.idx with release. */
  publish(count: number): void {
    const u16 = this.u16
    const ring = this.availRing
    const slotMask = this.slotMask
    const chainMask = this.chainMask
    const entries = this.entries
    let published = this.published
    for (let i = 0; i < count; i++) {
      u16[ring + (published & slotMask)] = (published & chainMask) * entries
      published = (published + 1) & 0xffff
    }
    this.published = published
    Atomics.store(u16, this.availIdx, published)
  }

  reclaim(): number {
    const u32 = this.u32
    const ring = this.usedRing
    const slotMask = this.slotMask
    // Acquire: pairs with the device's release of used.idx after the elements.
    const usedIdx = Atomics.load(this.u16, this.usedIdx)
    const from = this.reclaimed
    if (this.inOrder) return this.reclaimInOrder(from, usedIdx)
    let sum = 0
    for (let index = from; index !== usedIdx; index = (index + 1) & 0xffff) sum += u32[ring + 2 * (index & slotMask)]!
    this.sums[0]! += sum
    this.reclaimed = usedIdx
    return (usedIdx - from) & 0xffff
  }

  /** One element stands for all chains up to the one that it names. VirtIO 1.3 section 2.7.9. */
  private reclaimInOrder(from: number, usedIdx: number): number {
    const { u32, usedRing, slotMask, chainMask, entries } = this
    let sum = 0
    let index = from
    while (index !== usedIdx) {
      const id = u32[usedRing + 2 * (index & slotMask)]!
      const count = ((id / entries - index) & chainMask) + 1
      if (id % entries !== 0 || count > ((usedIdx - index) & 0xffff)) throw new Error(`id ${id} is used out of order`)
      for (let i = 0; i < count; i++) sum += ((index + i) & chainMask) * entries
      index = (index + count) & 0xffff
    }
    this.sums[0]! += sum
    this.reclaimed = usedIdx
    return (usedIdx - from) & 0xffff
  }
}
