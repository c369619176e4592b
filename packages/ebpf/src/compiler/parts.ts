import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'
import type { Program } from '../isa/instruction.ts'
import type { Subprogram } from '../verifier/structure.ts'
import type { Edge } from './control-flow.ts'

/** Slots of a program that is compiled in one piece. */
export const WHOLE_SLOTS = 4096
/** Slots of a part at least: the engine parses and compiles as many in a few milliseconds. */
export const PART_SLOTS = 1024

/**
 * Cuts a long subprogram where no jump leads across, so that each part can be a function of its own, which ends by calling
 * the next one with all registers. A loop, or a jump, that is longer than a part makes a longer part.
 *
 * @param edges its jumps
 */
export function* findParts(
  program: Program,
  { start, end }: Subprogram,
  edges: readonly Edge[],
): Generator<void, readonly Subprogram[]> {
  if (program.length <= WHOLE_SLOTS) return [{ start, end }]
  // Jumps that lead across the place before each slot, as differences from one place to the next.
  const crossing = new Int32Array(end - start + 2)
  for (let i = 0; i < edges.length; i++) {
    if (i % PIECES_BETWEEN_YIELDS === 0) yield
    const { from, to } = edges[i]!
    crossing[Math.min(from, to) + 1 - start]! += 1
    crossing[Math.max(from, to) + 1 - start]! -= 1
  }
  const parts: { start: number; end: number }[] = []
  let first = start
  let open = 0
  for (let slot = start; slot < end; slot++) {
    if (slot % PIECES_BETWEEN_YIELDS === 0) yield
    open += crossing[slot - start]!
    if (open > 0 || slot - first < PART_SLOTS || program[slot] === null) continue
    parts.push({ start: first, end: slot })
    first = slot
  }
  parts.push({ start: first, end })
  return parts
}
