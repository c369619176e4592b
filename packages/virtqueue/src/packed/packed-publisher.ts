import type { Cpu, RingLease, Window } from '@vring/accessor'
import {
  PACKED_DESC_BYTES,
  PACKED_DESC_FLAGS_OFFSET,
  PACKED_DESC_ID_OFFSET,
  PACKED_DESC_LEN_OFFSET,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import type { RingLog } from '../device-queue.ts'
import { usedFlags } from './packed-position.ts'

const DESC_HALVES = PACKED_DESC_BYTES >>> 1
const DESC_WORDS = PACKED_DESC_BYTES >>> 2

/**
 * Writes used descriptors over available ones (VirtIO 1.3 sections 2.8.6 and 2.8.21): lengths of all and the first's id, a write
 * barrier, ids and flags of the others in one word each, the first's flags with release. A driver that finds the first one used finds all of
 * them; one that looks further ahead never sees flags before what they stand for.
 */
export class PackedPublisher {
  private readonly cpu: Cpu
  private readonly desc: Window
  private readonly queueSize: number
  private slot = 0
  private wrap = 1

  constructor(cpu: Cpu, desc: Window, queueSize: number) {
    this.cpu = cpu
    this.desc = desc
    this.queueSize = queueSize
  }

  /** The next used descriptor is at `slot`, in a lap whose wrap counter is `wrap`. */
  begin(slot: number, wrap: number): void {
    this.slot = slot
    this.wrap = wrap
  }

  /**
   * Inside a hold: writes the used descriptors of elements (id, length) from element `from` on, of chains of one ring entry each.
   *
   * @param written something may be written to the chains; if not, lengths mean nothing and stay (VirtIO 1.3 section 2.8.4)
   * @returns how many accesses that was
   */
  publishByLease(lease: RingLease, elements: Uint32Array, from: number, count: number, written: boolean): number {
    const { cpu } = this
    const { desc16, descHalf } = lease
    const first = descHalf + DESC_HALVES * this.slot
    cpu.store16(desc16, first + (PACKED_DESC_ID_OFFSET >>> 1), elements[2 * from]!)
    if (written) {
      this.storeLengths(lease, elements, from, count)
      // Orders lengths before ids and flags of all but the first; the first's flags are a release.
      if (count > 1) cpu.wmb()
    }
    this.storeOthers(lease, elements, from, count)
    const flags = usedFlags(this.wrap) | (elements[2 * from + 1] === 0 ? 0 : VIRTQ_DESC_F_WRITE)
    cpu.store16Release(desc16, first + (PACKED_DESC_FLAGS_OFFSET >>> 1), flags)
    return written ? 2 * count + 1 : count + 1
  }

  /** One word a descriptor, so that many cache lines come side by side: the driver's core has had them. */
  private storeLengths(lease: RingLease, elements: Uint32Array, from: number, count: number): void {
    const { cpu, queueSize } = this
    const { desc32, descWord } = lease
    const end = (2 * (from + count)) | 0
    let slot = this.slot | 0
    // Indices are made integers: V8 would check each sum for an overflow that the array's bounds check finds too.
    for (let i = (2 * from + 1) | 0; i < end; i = (i + 2) | 0) {
      cpu.store32(desc32, (descWord + DESC_WORDS * slot + (PACKED_DESC_LEN_OFFSET >>> 2)) | 0, elements[i]!)
      slot = (slot + 1) | 0
      if (slot === queueSize) slot = 0
    }
  }

  /** Ids and flags of all but the first, in one word each: who sees the flags sees the id. */
  private storeOthers(lease: RingLease, elements: Uint32Array, from: number, count: number): void {
    const { cpu, queueSize } = this
    const { desc32, descWord } = lease
    const end = (2 * (from + count)) | 0
    let slot = this.slot | 0
    let used = usedFlags(this.wrap)
    for (let i = (2 * from + 2) | 0; i < end; i = (i + 2) | 0) {
      slot = (slot + 1) | 0
      if (slot === queueSize) {
        slot = 0
        used = usedFlags(this.wrap ^ 1)
      }
      const flags = elements[(i + 1) | 0] === 0 ? used : used | VIRTQ_DESC_F_WRITE
      cpu.store32(
        desc32,
        (descWord + DESC_WORDS * slot + (PACKED_DESC_ID_OFFSET >>> 2)) | 0,
        (elements[i]! | (flags << 16)) >>> 0,
      )
    }
  }

  /**
   * As {@link publishByLease}, by the window, of chains of `slots` ring entries each.
   *
   * @returns 0 or a negative errno: then the driver sees no descriptor of this batch used before the first one is
   */
  publishByWindow(elements: Uint32Array, slots: Uint16Array, from: number, count: number, written: boolean): number {
    const { desc, queueSize } = this
    const end = from + count
    let slot = this.slot
    let status = desc.store16(PACKED_DESC_BYTES * slot + PACKED_DESC_ID_OFFSET, elements[2 * from]!)
    for (let i = from; written && i < end && status === 0; i++) {
      status = desc.store32(PACKED_DESC_BYTES * slot + PACKED_DESC_LEN_OFFSET, elements[2 * i + 1]!)
      slot += slots[i]!
      if (slot >= queueSize) slot -= queueSize
    }
    // Orders lengths before ids and flags of all but the first; the first's flags are a release.
    if (written && count > 1) this.cpu.wmb()
    slot = this.slot + slots[from]!
    let wrap = this.wrap
    for (let i = from + 1; i < end && status === 0; i++) {
      if (slot >= queueSize) {
        slot -= queueSize
        wrap ^= 1
      }
      const flags = usedFlags(wrap) | (elements[2 * i + 1] === 0 ? 0 : VIRTQ_DESC_F_WRITE)
      status = desc.store32(PACKED_DESC_BYTES * slot + PACKED_DESC_ID_OFFSET, (elements[2 * i]! | (flags << 16)) >>> 0)
      slot += slots[i]!
    }
    if (status < 0) return status
    const first = usedFlags(this.wrap) | (elements[2 * from + 1] === 0 ? 0 : VIRTQ_DESC_F_WRITE)
    return desc.store16Release(PACKED_DESC_BYTES * this.slot + PACKED_DESC_FLAGS_OFFSET, first)
  }

  /** Notes the descriptors that were written: from the first to the last, in two pieces where the ring wraps. */
  logTo(log: RingLog, slots: Uint16Array, from: number, count: number): void {
    const entries = entriesOf(slots, from, count - 1) + 1
    const toEnd = Math.min(entries, this.queueSize - this.slot)
    log.write('desc', PACKED_DESC_BYTES * this.slot, PACKED_DESC_BYTES * toEnd)
    if (toEnd < entries) log.write('desc', 0, PACKED_DESC_BYTES * (entries - toEnd))
  }
}

/** Ring entries of `count` chains from chain `from` on. */
export function entriesOf(slots: Uint16Array, from: number, count: number): number {
  let entries = 0
  for (let chain = from; chain < from + count; chain++) entries += slots[chain]!
  return entries
}
