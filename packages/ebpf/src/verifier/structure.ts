import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'
import { disassemble } from '../isa/disassemble.ts'
import { EbpfError } from '../isa/ebpf-error.ts'
import { nextSlot, type Program, SUBPROGRAMS_MAX } from '../isa/instruction.ts'

/** Slots [start, end) that one call enters at `start`. */
export interface Subprogram {
  readonly start: number
  readonly end: number
}

/** Slots that may be next after the one at `index` within its subprogram, the fall-through last. */
export function successors(program: Program, index: number): number[] {
  const one = program[index]!
  if (one.kind === 'exit') return []
  if (one.kind === 'goto') return [one.target]
  return one.kind === 'jump' ? [one.target, nextSlot(program, index)] : [nextSlot(program, index)]
}

/**
 * Splits a program into its subprograms and checks how control flows. Every jump stays in its subprogram, none runs off
 * its end, every instruction can be reached. Source: Linux kernel/bpf/verifier.c, check_subprogs and check_cfg.
 *
 * @throws EbpfError
 */
export function* findSubprograms(program: Program): Generator<void, readonly Subprogram[]> {
  const starts = new Set([0])
  for (let index = 0; index < program.length; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    const one = program[index]
    if (one?.kind !== 'call-local' && one?.kind !== 'load-function') continue
    starts.add(one.target)
    if (starts.size > SUBPROGRAMS_MAX)
      throw new EbpfError(index, disassemble(one), `makes a program of more than ${SUBPROGRAMS_MAX} functions`)
  }
  const sorted = [...starts].sort((a, b) => a - b)
  const subprograms = sorted.map((start, i) => ({ start, end: sorted[i + 1] ?? program.length }))
  const reached = new Uint8Array(program.length)
  for (const subprogram of subprograms) yield* checkFlow(program, subprogram, reached)
  return subprograms
}

function* checkFlow(program: Program, { start, end }: Subprogram, reached: Uint8Array): Generator<void, void> {
  reached[start] = 1
  const pending = [start]
  let walked = 0
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    if (++walked % PIECES_BETWEEN_YIELDS === 0) yield
    for (const next of successors(program, index)) {
      if (next < start || next >= end) {
        const reason = next >= program.length ? 'runs off the end of the program' : `leaves its subprogram for ${next}`
        throw new EbpfError(index, disassemble(program[index]!), reason)
      }
      if (reached[next] === 1) continue
      reached[next] = 1
      pending.push(next)
    }
  }
  for (let index = start; index < end; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    const one = program[index]
    if (one && reached[index] === 0) throw new EbpfError(index, disassemble(one), 'can never be reached')
  }
}
