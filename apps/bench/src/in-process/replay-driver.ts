import type { MemoryView } from '@vring/memory'
import { LAP_PACKETS, type LapPlan } from './lap-driver.ts'
import { SplitLapDriver } from './split-lap-driver.ts'

const DESC_WORDS = 4
const LENGTH_WORD = 2

/**
 * A driver that sends recorded frames in their order, each from its own buffer. It writes address and length of a
 * descriptor before it makes the descriptor available. A driver that gets frames from elsewhere does the same. A lap
 * begins with the first frame, so that all laps are the same. Chains are one descriptor each.
 */
export class ReplayDriver extends SplitLapDriver {
  private readonly words: Uint32Array
  private readonly desc: number
  private readonly descriptors: Uint32Array
  private readonly headMask: number
  /** Packets of this lap, and the frame that comes next. */
  private packet = 0
  private frame = 0

  constructor(plan: LapPlan, view: MemoryView, descriptors: Uint32Array) {
    super(plan, view)
    this.words = view.u32
    this.desc = plan.areas.desc >>> 2
    this.descriptors = descriptors
    this.headMask = plan.chains - 1
  }

  override publish(count: number): void {
    const { words, desc, descriptors, headMask } = this
    let { packet, frame } = this
    for (let i = 0; i < count; i++) {
      // Descriptors are free: those of a batch came back before the next one is published.
      const at = desc + DESC_WORDS * (packet & headMask)
      words[at] = descriptors[frame]!
      words[at + LENGTH_WORD] = descriptors[frame + LENGTH_WORD]!
      packet++
      frame += DESC_WORDS
      if (frame === descriptors.length) frame = 0
      if (packet === LAP_PACKETS) packet = frame = 0
    }
    this.packet = packet
    this.frame = frame
    super.publish(count)
  }
}
