import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'
import type { Instruction, Program } from '../isa/instruction.ts'
import { REGION_CONTEXT } from '../runtime/memory-region.ts'
import {
  CONTEXT_ACCESS,
  DESTINATION_NUMBER,
  DESTINATION_POINTER,
  FACT_MIXED,
  type Facts,
  SOURCE_NUMBER,
  SOURCE_POINTER,
} from './facts.ts'

const MIXED_DESTINATION = DESTINATION_NUMBER | DESTINATION_POINTER
const MIXED_SOURCE = SOURCE_NUMBER | SOURCE_POINTER

/** An instruction that paths use in ways that exclude each other. */
export interface MixedUse {
  readonly index: number
  readonly reason: string
}

/**
 * One piece of code can't be compiled for pointers and numbers at once, nor for the context and memory.
 *
 * @returns the first instruction that would have to be, or undefined
 */
export function* findMixedUse(program: Program, facts: Facts): Generator<void, MixedUse | undefined> {
  const { flags, region, address } = facts
  for (let index = 0; index < program.length; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    const found = flags[index]!
    const one = program[index]
    const isMixed = (found & MIXED_DESTINATION) === MIXED_DESTINATION || (found & MIXED_SOURCE) === MIXED_SOURCE
    if (isMixed && (one?.kind === 'alu' || one?.kind === 'jump') && one.bits === 64 && !isEquality(one))
      return { index, reason: 'is used on pointers on one path and on numbers on another' }
    if ((found & CONTEXT_ACCESS) === 0) continue
    if (region[index] !== REGION_CONTEXT || address[index] === FACT_MIXED)
      return { index, reason: 'reaches one field of the context on one path and something else on another' }
  }
  return undefined
}

function isEquality(one: Instruction): boolean {
  return one.kind === 'jump' && (one.condition === 'eq' || one.condition === 'ne')
}
