import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'
import type { Program } from '../isa/instruction.ts'
import type { Subprogram } from '../verifier/structure.ts'
import type { Edge } from './control-flow.ts'

/** Slots of a program that is compiled in one piece. */
export const WHOLE_SLOTS = 4096
/** Slots of a part at most: the engine parses and compiles as many in a few milliseconds. */
export const PART_SLOTS = 1024

/**
 * Cuts a subprogram of a long program, so that each part can be a function of its own. It cuts in the second half of
 * what a part may have, at the last place that the fewest jumps lead across. Loops that are shorter than half a part
 * stay whole.
 *
 * @param edges its jumps
 */
export function* findParts(
  program: Program,
  { start, end }: Subprogram,
  edges: readonly Edge[],
): Generator<void, readonly Subprogram[]> {
  if (program.length <= WHOLE_SLOTS) return [{ start, end }]
  const across = yield* countAcross(start, end, edges)
  const parts: Subprogram[] = []
  let first = start
  while (end - first > PART_SLOTS) {
    yield
    let cut = -1
    for (let slot = first + PART_SLOTS / 2; slot <= first + PART_SLOTS; slot++) {
      // Not between the two slots of a 64-bit immediate.
      if (program[slot] === null) continue
      if (cut < 0 || across[slot - start]! <= across[cut - start]!) cut = slot
    }
    parts.push({ start: first, end: cut })
    first = cut
  }
  parts.push({ start: first, end })
  return parts
}

/** Jumps that lead across the place before each slot from `start` on. */
function* countAcross(start: number, end: number, edges: readonly Edge[]): Generator<void, Int32Array> {
  const across = new Int32Array(end - start + 2)
  for (let i = 0; i < edges.length; i++) {
    if (i % PIECES_BETWEEN_YIELDS === 0) yield
    const { from, to } = edges[i]!
    across[Math.min(from, to) + 1 - start]! += 1
    across[Math.max(from, to) + 1 - start]! -= 1
  }
  for (let i = 1; i < across.length; i++) {
    if (i % PIECES_BETWEEN_YIELDS === 0) yield
    across[i]! += across[i - 1]!
  }
  return across
}
