import type { HelperSignature } from '../helpers/helper.ts'
import type { Program } from '../isa/instruction.ts'
import { successors } from './structure.ts'

/** What one instruction reads and overwrites, as bit masks. */
export interface Effect {
  readonly reads: number
  readonly writes: number
}

/**
 * Bits that may still be read when control arrives at each slot: backward dataflow to the fixed point. A bit stands for a
 * register here, for half a register in the compiler.
 *
 * @param effect reads and writes of the instruction at a slot; reads may depend on the bits that are live after it
 */
export function solveLiveness(program: Program, effect: (index: number, liveAfter: number) => Effect): Int32Array {
  const live = new Int32Array(program.length)
  const indices = program.flatMap((one, index) => (one === null ? [] : [index])).reverse()
  for (let changed = true; changed; ) {
    changed = false
    for (const index of indices) {
      let after = 0
      for (const next of successors(program, index)) if (next < program.length) after |= live[next]!
      const { reads, writes } = effect(index, after)
      const before = reads | (after & ~writes)
      if (before !== live[index]) {
        live[index] = before
        changed = true
      }
    }
  }
  return live
}

/** Registers r1 .. rn. */
function argumentsMask(count: number): number {
  return ((1 << count) - 1) << 1
}

/** r0 to r5, which a call may overwrite. */
const CALL_WRITES = 0x3f

/** Registers that may still be read when control arrives at each slot. */
export function liveRegisters(program: Program, helpers: ReadonlyMap<number, HelperSignature>): Int32Array {
  return solveLiveness(program, (index) => {
    const one = program[index]!
    const source = 'source' in one && one.source >= 0 ? 1 << one.source : 0
    switch (one.kind) {
      case 'alu':
        return { reads: source | (1 << one.destination), writes: 0 }
      case 'negate':
      case 'swap':
        return { reads: 1 << one.destination, writes: 0 }
      case 'move':
        return { reads: source, writes: 1 << one.destination }
      case 'load-immediate':
      case 'load-map':
      case 'load-map-value':
      case 'load-function':
        return { reads: 0, writes: 1 << one.destination }
      case 'load':
        return { reads: 1 << one.base, writes: 1 << one.destination }
      case 'store':
        return { reads: source | (1 << one.base), writes: 0 }
      case 'atomic':
        return { reads: source | (1 << one.base) | (one.operation === 'cmpxchg' ? 1 : 0), writes: 0 }
      case 'jump':
        return { reads: source | (1 << one.destination), writes: 0 }
      case 'goto':
        return { reads: 0, writes: 0 }
      case 'call':
        return { reads: argumentsMask(helpers.get(one.helper)?.arguments.length ?? 5), writes: CALL_WRITES }
      case 'call-local':
        return { reads: argumentsMask(5), writes: CALL_WRITES }
      case 'exit':
        return { reads: 1, writes: 0 }
    }
  })
}
