import type { MemoryView } from '@vring/memory'
import type { LapDriver, LapPlan } from './lap-driver.ts'
import { PackedLapDriver } from './packed-lap-driver.ts'
import { ReplayDriver } from './replay-driver.ts'
import { SplitLapDriver } from './split-lap-driver.ts'

/** The driver of a cell: of its ring's format, and of frames that are always in the same buffers or of recorded ones. */
export function createLapDriver(plan: LapPlan, view: MemoryView): LapDriver {
  if (plan.format === 'packed') return new PackedLapDriver(plan, view)
  return plan.descriptors === null ? new SplitLapDriver(plan, view) : new ReplayDriver(plan, view, plan.descriptors)
}
