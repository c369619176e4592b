import type { MemoryView } from '@vring/memory'
import { XDP_DROP } from '@vring/xdp'
import type { CellSpec } from '../cell/cell-spec.ts'
import type { FloorCounts } from './floor-counts.ts'
import type { RingPlan } from './ring-layout.ts'

/** What a {@link FloorDevice} is made of. */
export interface FloorDeviceOptions {
  readonly spec: CellSpec
  readonly plan: RingPlan
  readonly memory: MemoryView
  readonly counts: FloorCounts
}

/** A device round written out by hand over one ring format. */
export abstract class FloorDevice {
  protected readonly plan: RingPlan
  protected readonly memory: MemoryView
  protected readonly counts: FloorCounts
  protected readonly size: number
  protected readonly parses: boolean
  protected readonly inOrder: boolean

  constructor({ spec, plan, memory, counts }: FloorDeviceOptions) {
    this.plan = plan
    this.memory = memory
    this.counts = counts
    this.size = spec.queueSize
    this.parses = spec.backend === 'xdp1'
    this.inOrder = spec.inOrder
  }

  /** Takes what is available, counts it into the counts that it was made with, and gives it back. */
  abstract round(): void

  /** Notes what a loop took: every frame is dropped. */
  protected count(frames: number, bytes: number): void {
    const { counts } = this
    counts.frames += frames
    counts.bytes += bytes
    counts.dropped += frames * XDP_DROP
  }
}
