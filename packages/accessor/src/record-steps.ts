import type { Accessor } from './accessor.ts'
import type { RecordingCpu } from './recording-cpu.ts'
import type { Step, StepTable } from './steps.ts'

/**
 * Makes each kind of access once, inside a round of its own, and gives the steps that `cpu` saw. Loads from the
 * beginning of the descriptor table, stores to the beginning of the used ring.
 *
 * @param accessor created with `cpu` over a ring of at least two entries
 */
export function recordSteps(accessor: Accessor, cpu: RecordingCpu): StepTable {
  const { desc, used } = accessor
  const elements = new Uint32Array(4)
  const seen = (access: () => number): readonly Step[] => {
    cpu.reset()
    access()
    return cpu.names()
  }
  accessor.beginRound()
  const table: StepTable = {
    load16: seen(() => used.load16(0)),
    load32: seen(() => desc.load32(0)),
    loadDescriptor: seen(() => desc.loadDescriptor(0, elements, 0)),
    store16: seen(() => used.store16(0, 0)),
    store32: seen(() => used.store32(4, 0)),
    'storeUsed of 1': seen(() => used.storeUsed(4, elements, 0, 1)),
    'storeUsed of 2': seen(() => used.storeUsed(4, elements, 0, 2)),
  }
  accessor.endRound()
  return table
}
