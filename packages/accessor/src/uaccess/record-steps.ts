import { mayRead, mayWrite, type RingAreas } from '@vring/layout'
import type { Accessor } from '../contract/accessor.ts'
import type { RecordingCpu } from '../ports/recording-cpu.ts'
import type { Step, StepTable } from '../ports/steps.ts'

/**
 * Makes each kind of access once by a window, inside a round of its own, and gives the steps that `cpu` saw. Loads from
 * the beginning of an area that is read, stores to the beginning of one that is written. What is stored is what was
 * there.
 *
 * @param accessor created with `cpu` over `ring`, a ring of at least two entries
 */
export function recordSteps(accessor: Accessor, cpu: RecordingCpu, ring: RingAreas): StepTable {
  const from = accessor[mayRead(ring.desc) ? 'desc' : 'driver']
  const to = accessor[mayWrite(ring.device) ? 'device' : 'desc']
  const words = new Uint32Array(4)
  const seen = (access: () => number): readonly Step[] => {
    cpu.reset()
    access()
    return cpu.names()
  }
  accessor.beginRound()
  const table: StepTable = {
    load16: seen(() => from.load16(0)),
    load32: seen(() => from.load32(0)),
    'loadWords of 4': seen(() => from.loadWords(0, words, 0, 4)),
    store16: seen(() => to.store16(0, 0)),
    store32: seen(() => to.store32(4, 0)),
    'storeWords of 2': seen(() => to.storeWords(4, words, 0, 2)),
    'storeWords of 4': seen(() => to.storeWords(4, words, 0, 4)),
  }
  accessor.endRound()
  return table
}
