import {
  AVAIL_IDX_OFFSET,
  AVAIL_RING_OFFSET,
  NET_HDR_MRG_BYTES,
  USED_FLAGS_OFFSET,
  USED_IDX_OFFSET,
  USED_RING_OFFSET,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_USED_F_NO_NOTIFY,
} from '@vring/layout'
import { NET_BATCH } from '@vring/vhost-net'
import { protocolOf } from './floor-counts.ts'
import { FloorDevice, type FloorDeviceOptions } from './floor-device.ts'
import { GUEST_BASE } from './ring-layout.ts'

/** The floor over a split ring. */
export class SplitFloor extends FloorDevice {
  private lastAvail = 0
  private usedIdx = 0

  constructor(options: FloorDeviceOptions) {
    super(options)
    const { memory, plan } = options
    memory.u16[(plan.device + USED_FLAGS_OFFSET) >>> 1] = VIRTQ_USED_F_NO_NOTIFY
  }

  round(): void {
    const { u8, u16, u32 } = this.memory
    const { driver, device, desc, bytes: limit } = this.plan
    const { size, parses, inOrder } = this
    const { protocols } = this.counts
    const mask = size - 1
    const availRing = (driver + AVAIL_RING_OFFSET) >>> 1
    const usedRing = (device + USED_RING_OFFSET) >>> 2
    const descWords = desc >>> 2
    // Acquire: ring entries and descriptors before this index are the published ones.
    const availIdx = Atomics.load(u16, (driver + AVAIL_IDX_OFFSET) >>> 1)
    let lastAvail = this.lastAvail
    let usedIdx = this.usedIdx
    // In order, one element stands for a batch: it is written where the batch begins.
    let batchAt = usedIdx
    let frames = 0
    let bytes = 0
    while (lastAvail !== availIdx) {
      const head = u16[availRing + (lastAvail & mask)]!
      if (head >= size) break
      const word = descWords + 4 * head
      const length = u32[word + 2]!
      if ((u32[word + 3]! & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) !== 0) break
      const at = u32[word + 1]! * 0x1_0000_0000 + u32[word]! - GUEST_BASE
      if (at < 0 || length > limit - at) break
      const data = at + NET_HDR_MRG_BYTES
      const end = at + length
      if (parses) {
        const protocol = protocolOf(u8, data, end)
        if (protocol >= 0) protocols[protocol]!++
      }
      if (inOrder && frames % NET_BATCH === 0) batchAt = usedIdx
      const element = usedRing + 2 * ((inOrder ? batchAt : usedIdx) & mask)
      u32[element] = head
      u32[element + 1] = 0
      usedIdx = (usedIdx + 1) & 0xffff
      lastAvail = (lastAvail + 1) & 0xffff
      frames++
      bytes += end - data
    }
    this.lastAvail = lastAvail
    this.usedIdx = usedIdx
    this.count(frames, bytes)
    // Release: pairs with the driver's acquire of used.idx.
    Atomics.store(u16, (device + USED_IDX_OFFSET) >>> 1, usedIdx)
  }
}
