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
import { type MemoryView, memoryView } from '@vring/memory'
import { XDP_DROP } from '@vring/xdp'
import type { CellSpec } from '../cell-spec.ts'
import { LapDriver } from './lap-driver.ts'
import { lapStateText } from './lap-state.ts'
import type { Rig } from './rig.ts'
import { GUEST_BASE, headOf, planRing, type RingPlan, writeRing } from './ring-layout.ts'

/** Backends that the floor has an equivalent of. */
export const BASELINE_BACKENDS: readonly string[] = ['drop', 'xdp1']

/**
 * The floor: a device round written out by hand as one function over typed arrays. It knows that memory is one piece, that
 * chains are one descriptor and that the program is xdp1, and checks what a hostile driver could break (head, address
 * range, frame end). Not an accessor: it says how much of the machine the seams of the real datapath leave unused.
 */
export class BaselineRig implements Rig {
  private readonly spec: CellSpec
  private readonly plan: RingPlan
  private readonly memory: MemoryView
  private readonly driver: LapDriver
  private readonly protocols = new Float64Array(256)
  /** xdp1; otherwise frames are counted and dropped unread. */
  private readonly parses: boolean
  private lastAvail = 0
  private usedIdx = 0
  private frames = 0
  private bytes = 0
  private dropped = 0

  constructor(spec: CellSpec, seed: number, kinds: 'udp' | 'mixed' = 'udp') {
    if (spec.chainLength !== 1 || spec.indirect || !BASELINE_BACKENDS.includes(spec.backend))
      throw new Error(
        `baseline: one descriptor a chain and the backends ${BASELINE_BACKENDS.join(', ')} are all it knows`,
      )
    this.spec = spec
    this.parses = spec.backend === 'xdp1'
    this.plan = planRing(spec)
    const memory = memoryView(new ArrayBuffer(this.plan.bytes))
    writeRing(this.plan, spec, seed, kinds, (offset, bytes) => memory.u8.set(bytes, offset))
    memory.u16[(this.plan.used + USED_FLAGS_OFFSET) >>> 1] = VIRTQ_USED_F_NO_NOTIFY
    this.memory = memory
    this.driver = new LapDriver({
      view: memory,
      avail: this.plan.avail,
      used: this.plan.used,
      queueSize: spec.queueSize,
      chains: this.plan.chains,
      headStep: headOf(spec, 1),
    })
  }

  run(packets: number): void {
    const { batch } = this.spec
    for (let left = packets; left > 0; ) {
      const count = Math.min(batch, left)
      this.driver.publish(count)
      this.round()
      const done = this.driver.reclaim()
      if (done !== count) throw new Error(`baseline: ${done} of ${count} packets came back`)
      left -= count
    }
  }

  lapState(laps: number): string {
    const counts: Record<string, number> = { txFrames: this.frames, txBytes: this.bytes }
    if (this.parses) counts['verdict.drop'] = this.dropped
    this.protocols.forEach((count, protocol) => {
      if (count > 0) counts[`proto.${protocol}`] = count
    })
    counts['idSum'] = this.driver.idSum
    const used = this.memory.u8.subarray(this.plan.used, this.plan.used + this.plan.ring.device.length)
    const text = lapStateText(used, counts, laps)
    this.frames = 0
    this.bytes = 0
    this.dropped = 0
    this.protocols.fill(0)
    this.driver.idSum = 0
    return text
  }

  accesses(): Record<string, number> {
    return {}
  }

  close(): void {}

  private round(): void {
    const { u8, u16, u32 } = this.memory
    const { avail, used, desc, bytes: limit } = this.plan
    const mask = this.spec.queueSize - 1
    const size = this.spec.queueSize
    const protocols = this.protocols
    const parses = this.parses
    const availRing = (avail + AVAIL_RING_OFFSET) >>> 1
    const usedRing = (used + USED_RING_OFFSET) >>> 2
    const descWords = desc >>> 2
    // Acquire: ring entries and descriptors loaded after this index are the published ones.
    const availIdx = Atomics.load(u16, (avail + AVAIL_IDX_OFFSET) >>> 1)
    let lastAvail = this.lastAvail
    let usedIdx = this.usedIdx
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
        const protocol = parse(u8, data, end)
        if (protocol >= 0) protocols[protocol]!++
      }
      const element = usedRing + 2 * (usedIdx & mask)
      u32[element] = head
      u32[element + 1] = 0
      usedIdx = (usedIdx + 1) & 0xffff
      lastAvail = (lastAvail + 1) & 0xffff
      frames++
      bytes += end - data
    }
    this.lastAvail = lastAvail
    this.usedIdx = usedIdx
    this.frames += frames
    this.bytes += bytes
    this.dropped += frames * XDP_DROP
    // Release: pairs with the driver's acquire of used.idx.
    Atomics.store(u16, (used + USED_IDX_OFFSET) >>> 1, usedIdx)
  }
}

/** IP protocol of a frame as xdp1 finds it: up to two VLAN tags; 0 for neither IPv4 nor IPv6, -1 for a short frame. */
function parse(u8: Uint8Array, data: number, end: number): number {
  let at = data + 14
  if (at > end) return -1
  let type = (u8[data + 12]! << 8) | u8[data + 13]!
  for (let tags = 0; tags < 2 && (type === 0x8100 || type === 0x88a8); tags++) {
    if (at + 4 > end) return -1
    type = (u8[at + 2]! << 8) | u8[at + 3]!
    at += 4
  }
  if (type === 0x0800) return at + 20 > end ? 0 : u8[at + 9]!
  if (type === 0x86dd) return at + 40 > end ? 0 : u8[at + 6]!
  return 0
}
