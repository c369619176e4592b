import { PACKED_DESC_BYTES, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from '@vring/layout'
import type { MemoryView } from '@vring/memory'
import { LAP_PACKETS, type LapDriver, type LapPlan } from './lap-driver.ts'

const DESC_WORDS = PACKED_DESC_BYTES >>> 2
/** Halves of a descriptor's last word. */
const ID_HALF = 6
const FLAGS_HALF = 7
const POSITION = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED

/**
 * The driver of a packed ring. The device writes over descriptors, so they are written each time. Those of a chain are
 * written one after the other. Of a batch it is all but the flags of the first, which follow with release.
 */
export class PackedLapDriver implements LapDriver {
  private readonly u16: Uint16Array
  private readonly u32: Uint32Array
  /** Index of the ring's first word. */
  private readonly desc: number
  private readonly queueSize: number
  private readonly chainMask: number
  private readonly entries: number
  private readonly inOrder: boolean
  private readonly descriptors: Uint32Array
  private readonly sums = new Float64Array(1)
  /** Packets of this lap, and the first word of the descriptors that come next. */
  private packet = 0
  private next = 0
  private availSlot = 0
  private availWrap = 1
  /** Chains of this lap that came back. */
  private reclaimed = 0
  private usedSlot = 0
  private usedWrap = 1
  private outstanding = 0

  constructor({ areas, queueSize, chains, entries, inOrder, descriptors }: LapPlan, view: MemoryView) {
    this.u16 = view.u16
    this.u32 = view.u32
    this.desc = areas.desc >>> 2
    this.queueSize = queueSize
    this.chainMask = chains - 1
    this.entries = entries
    this.inOrder = inOrder
    this.descriptors = descriptors!
  }

  get idSum(): number {
    return this.sums[0]!
  }

  set idSum(sum: number) {
    this.sums[0] = sum
  }

  publish(count: number): void {
    const { u16, u32, desc, queueSize, chainMask, entries, descriptors } = this
    const firstAt = desc + DESC_WORDS * this.availSlot
    let { packet, next, availSlot: slot, availWrap: wrap } = this
    let position = (wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED) << 16
    let first = 0
    for (let i = 0; i < count; i++) {
      const id = packet & chainMask
      for (let entry = 0; entry < entries; entry++) {
        const at = desc + DESC_WORDS * slot
        const last = descriptors[next + 3]! | id | position
        u32[at] = descriptors[next]!
        u32[at + 1] = descriptors[next + 1]!
        u32[at + 2] = descriptors[next + 2]!
        if (at === firstAt && i === 0) {
          u16[2 * at + ID_HALF] = id
          first = last >>> 16
        } else u32[at + 3] = last
        next += DESC_WORDS
        slot++
        if (slot === queueSize) {
          slot = 0
          wrap ^= 1
          position = (wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED) << 16
        }
      }
      packet++
      if (next === descriptors.length) next = 0
      // A lap begins with the first frame, so that all laps are the same.
      if (packet === LAP_PACKETS) packet = next = 0
    }
    this.packet = packet
    this.next = next
    this.availSlot = slot
    this.availWrap = wrap
    this.outstanding += count
    // Release: the device that finds the first descriptor available finds all of the batch.
    Atomics.store(u16, 2 * firstAt + FLAGS_HALF, first)
  }

  reclaim(): number {
    const { u16, desc, queueSize, chainMask, entries, inOrder, outstanding } = this
    let { usedSlot: slot, usedWrap: wrap, reclaimed } = this
    let wanted = wrap === 1 ? POSITION : 0
    let sum = 0
    let count = 0
    while (count < outstanding) {
      const half = 2 * (desc + DESC_WORDS * slot)
      // Acquire: pairs with the device's release of these flags, or of those of the batch's first descriptor.
      if ((Atomics.load(u16, half + FLAGS_HALF) & POSITION) !== wanted) break
      const id = u16[half + ID_HALF]!
      // In order, one descriptor stands for all chains up to the one that it names. VirtIO 1.3 section 2.8.9.
      const chains = inOrder ? ((id - reclaimed) & chainMask) + 1 : 1
      if (chains > outstanding - count) throw new Error(`id ${id} is used out of order`)
      if (inOrder) for (let i = 0; i < chains; i++) sum += (reclaimed + i) & chainMask
      else sum += id
      reclaimed = (reclaimed + chains) & 0xffff
      count += chains
      slot += chains * entries
      while (slot >= queueSize) {
        slot -= queueSize
        wrap ^= 1
        wanted = wrap === 1 ? POSITION : 0
      }
    }
    this.sums[0]! += sum
    this.reclaimed = reclaimed
    this.usedSlot = slot
    this.usedWrap = wrap
    this.outstanding = outstanding - count
    return count
  }
}
