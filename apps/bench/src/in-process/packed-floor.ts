import {
  NET_HDR_MRG_BYTES,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
} from '@vring/layout'
import { NET_BATCH } from '@vring/vhost-net'
import { protocolOf } from './floor-counts.ts'
import { FloorDevice } from './floor-device.ts'
import { GUEST_BASE } from './ring-layout.ts'

const CHECKED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED | VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT

/**
 * The floor over a packed ring: descriptors are given back one by one, as no index publishes them together. Of a batch, the
 * flags of all but the first, then the first's with release.
 */
export class PackedFloor extends FloorDevice {
  private slot = 0
  private wrap = 1

  round(): void {
    while (this.batch() === NET_BATCH);
  }

  /** @returns how many it took */
  private batch(): number {
    const { u8, u16, u32 } = this.memory
    const { desc, bytes: limit } = this.plan
    const { size, parses, inOrder } = this
    const { protocols } = this.counts
    const descWords = desc >>> 2
    const first = descWords + 4 * this.slot
    const firstFlags = usedFlags(this.wrap)
    let { slot, wrap } = this
    let frames = 0
    let bytes = 0
    let id = 0
    while (frames < NET_BATCH) {
      const word = descWords + 4 * slot
      // Acquire: the rest of the descriptor is what was published with these flags.
      const flags = Atomics.load(u16, 2 * word + 7)
      if ((flags & CHECKED) !== (wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED)) break
      const length = u32[word + 2]!
      const at = u32[word + 1]! * 0x1_0000_0000 + u32[word]! - GUEST_BASE
      id = u16[2 * word + 6]!
      if (id >= size || at < 0 || length > limit - at) break
      const data = at + NET_HDR_MRG_BYTES
      const end = at + length
      if (parses) {
        const protocol = protocolOf(u8, data, end)
        if (protocol >= 0) protocols[protocol]!++
      }
      if (!inOrder && word !== first) u32[word + 3] = (usedFlags(wrap) << 16) | id
      slot++
      if (slot === size) {
        slot = 0
        wrap ^= 1
      }
      frames++
      bytes += end - data
    }
    if (frames === 0) return 0
    if (inOrder) {
      // One descriptor stands for the batch: where it begins, with the id of its last.
      u16[2 * first + 6] = id
    }
    this.slot = slot
    this.wrap = wrap
    this.count(frames, bytes)
    // Release: pairs with the driver's acquire of these flags.
    Atomics.store(u16, 2 * first + 7, firstFlags)
    return frames
  }
}

function usedFlags(wrap: number): number {
  return wrap === 1 ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0
}
