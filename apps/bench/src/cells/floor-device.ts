import type { MemoryView } from '@vring/memory'
import type { CellSpec } from '../cell-spec.ts'
import type { FloorCounts } from './floor-counts.ts'
import type { RingPlan } from './ring-layout.ts'

/** A device round written out by hand over one ring format. */
export interface FloorDevice {
  /** Takes what is available, counts it into the counts that it was made with, and gives it back. */
  round(): void
}

/** What it is made of. */
export interface FloorDeviceOptions {
  readonly spec: CellSpec
  readonly plan: RingPlan
  readonly memory: MemoryView
  readonly counts: FloorCounts
}
