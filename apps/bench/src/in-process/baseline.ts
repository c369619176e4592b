import { type MemoryView, memoryView } from '@vring/memory'
import type { CellSpec } from '../cell/cell-spec.ts'
import { createLapDriver } from './create-lap-driver.ts'
import type { FloorCounts } from './floor-counts.ts'
import type { FloorDevice } from './floor-device.ts'
import type { LapDriver } from './lap-driver.ts'
import { type LapState, lapState } from './lap-state.ts'
import { PackedFloor } from './packed-floor.ts'
import type { Rig } from './rig.ts'
import { lapPlan, planRing, type RingPlan, usedArea, writeRing } from './ring-layout.ts'
import { SplitFloor } from './split-floor.ts'

/** Backends that the floor has an equivalent of. */
export const BASELINE_BACKENDS: readonly string[] = ['drop', 'xdp1']

/**
 * The floor: a device round written out by hand as one function over typed arrays, one for each ring format. It knows
 * that memory is one piece, that chains are one descriptor and that the program is xdp1. It checks what a hostile
 * driver could break (head, address range, frame end). Not an accessor: it says how much of the machine the seams of
 * the real datapath leave unused.
 */
export class BaselineRig implements Rig {
  private readonly spec: CellSpec
  private readonly plan: RingPlan
  private readonly memory: MemoryView
  private readonly driver: LapDriver
  private readonly device: FloorDevice
  private readonly counts: FloorCounts = { frames: 0, bytes: 0, dropped: 0, protocols: new Float64Array(256) }

  constructor(spec: CellSpec, seed: number, kinds: 'udp' | 'mixed' = 'udp') {
    if (spec.chainLength !== 1 || spec.indirect || !BASELINE_BACKENDS.includes(spec.backend))
      throw new Error(
        `baseline: one descriptor a chain and the backends ${BASELINE_BACKENDS.join(', ')} are all it knows`,
      )
    this.spec = spec
    this.plan = planRing(spec)
    const memory = memoryView(new ArrayBuffer(this.plan.bytes))
    writeRing(this.plan, spec, seed, kinds, (offset, bytes) => memory.u8.set(bytes, offset))
    this.memory = memory
    this.driver = createLapDriver(lapPlan(this.plan, spec), memory)
    const options = { spec, plan: this.plan, memory, counts: this.counts }
    this.device = spec.ring === 'packed' ? new PackedFloor(options) : new SplitFloor(options)
  }

  run(packets: number): void {
    const { batch } = this.spec
    for (let left = packets; left > 0; ) {
      const count = Math.min(batch, left)
      this.driver.publish(count)
      this.device.round()
      const done = this.driver.reclaim()
      if (done !== count) throw new Error(`baseline: ${done} of ${count} packets came back`)
      left -= count
    }
  }

  lapState(laps: number): LapState {
    const { counts, driver } = this
    const named: Record<string, number> = { txFrames: counts.frames, txBytes: counts.bytes }
    // xdp1; otherwise frames are counted and dropped unread.
    if (this.spec.backend === 'xdp1') named['verdict.drop'] = counts.dropped
    counts.protocols.forEach((count, protocol) => {
      if (count > 0) named[`proto.${protocol}`] = count
    })
    const { offset, length } = usedArea(this.plan)
    const state = lapState(this.memory.u8.subarray(offset, offset + length), named, driver.idSum, laps)
    counts.frames = counts.bytes = counts.dropped = driver.idSum = 0
    counts.protocols.fill(0)
    return state
  }

  accesses(): Record<string, number> {
    return {}
  }

  close(): void {}
}
