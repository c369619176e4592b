import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'
import type { HelperSignature } from '../helpers/helper.ts'
import type { Program } from '../isa/instruction.ts'
import { successors } from './structure.ts'

/** What one instruction reads and overwrites, as bit masks. */
export interface Effect {
  readonly reads: number
  readonly writes: number
}

/** Slots that may come right before each slot: those of slot i are `from[starts[i]]` to `from[starts[i + 1]]`. */
interface Predecessors {
  readonly starts: Int32Array
  readonly from: Int32Array
}

function* predecessors(program: Program): Generator<void, Predecessors> {
  const starts = new Int32Array(program.length + 1)
  for (let index = 0; index < program.length; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    if (program[index] === null) continue
    for (const next of successors(program, index)) if (next < program.length) starts[next + 1]!++
  }
  for (let index = 0; index < program.length; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    starts[index + 1]! += starts[index]!
  }
  const from = new Int32Array(starts[program.length]!)
  const filled = starts.slice()
  for (let index = 0; index < program.length; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    if (program[index] === null) continue
    for (const next of successors(program, index)) if (next < program.length) from[filled[next]!++] = index
  }
  return { starts, from }
}

/**
 * Bits that may still be read when control arrives at each slot: backward dataflow to the fixed point. A bit stands for
 * a register here, for half a register in the compiler. Bits are only ever added, and a slot is looked at again when
 * one of its successors got one. The work is bounded by jumps times bits, whatever the loops.
 *
 * @param effect reads and writes of the instruction at a slot; reads may depend on the bits that are live after it
 */
export function* solveLiveness(
  program: Program,
  effect: (index: number, liveAfter: number) => Effect,
): Generator<void, Int32Array> {
  const live = new Int32Array(program.length)
  const { starts, from } = yield* predecessors(program)
  const waits = new Uint8Array(program.length).fill(1)
  const pending: number[] = []
  let walked = 0
  // The last slot first: most code is done after one look at each slot.
  for (let last = program.length - 1; last >= 0; last--) {
    if (waits[last] === 1) pending.push(last)
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      if (++walked % PIECES_BETWEEN_YIELDS === 0) yield
      waits[index] = 0
      if (program[index] === null) continue
      let after = 0
      for (const next of successors(program, index)) if (next < program.length) after |= live[next]!
      const { reads, writes } = effect(index, after)
      const before = reads | (after & ~writes)
      if (before === live[index]) continue
      live[index] = before
      for (let i = starts[index]!; i < starts[index + 1]!; i++) {
        const one = from[i]!
        if (waits[one] === 1) continue
        waits[one] = 1
        pending.push(one)
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
export function liveRegisters(
  program: Program,
  helpers: ReadonlyMap<number, HelperSignature>,
): Generator<void, Int32Array> {
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
