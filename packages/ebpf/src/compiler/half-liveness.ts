import type { HelperSignature } from '../helpers/helper.ts'
import { MAP_LOOKUP_ELEM } from '../helpers/map-helpers.ts'
import type { AluInstruction, Instruction, JumpInstruction, Program } from '../isa/instruction.ts'
import { REGION_CONTEXT } from '../runtime/memory-region.ts'
import {
  DESTINATION_NUMBER,
  DESTINATION_POINTER,
  DESTINATION_WIDE,
  FACT_MIXED,
  type Facts,
  NOT_TAKEN,
  RESULT_WIDE,
  SOURCE_NUMBER,
  SOURCE_POINTER,
  SOURCE_WIDE,
  TAKEN,
} from '../verifier/facts.ts'
import { type Effect, solveLiveness } from '../verifier/liveness.ts'

/** Bit of a register's low half. */
function lowBit(register: number): number {
  return 1 << register
}

/** Bit of a register's high half. */
export function highBit(register: number): number {
  return 1 << (register + 11)
}

function bothBits(register: number): number {
  return lowBit(register) | highBit(register)
}

/** Both operands are known to fit 32 bits, so that high halves need no code. */
export function isNarrow(flags: number): boolean {
  return (flags & (DESTINATION_WIDE | SOURCE_WIDE | DESTINATION_POINTER | SOURCE_POINTER)) === 0
}

/**
 * The comparison is decided by low halves. Those are 32-bit ones, numbers that fit 32 bits, and the order of two
 * pointers, which the verifier allows within one region only.
 */
export function comparesLowHalves(one: JumpInstruction, flags: number): boolean {
  if (one.bits === 32 || isNarrow(flags)) return true
  const pointers = (flags & (DESTINATION_NUMBER | SOURCE_NUMBER)) === 0
  return pointers && one.condition !== 'eq' && one.condition !== 'ne'
}

/**
 * Halves of registers that may still be read when control arrives at each slot. Most programs never look at most high
 * halves: what the verifier knows of ranges and pointers makes their computation, and so their code, unnecessary.
 */
type Helpers = ReadonlyMap<number, HelperSignature>

export function liveHalves(program: Program, facts: Facts, helpers: Helpers): Generator<void, Int32Array> {
  return solveLiveness(program, (index, after) => effectOf(program[index]!, index, after, facts, helpers))
}

function effectOf(one: Instruction, index: number, after: number, facts: Facts, helpers: Helpers): Effect {
  const flags = facts.flags[index]!
  const region = facts.region[index]!
  switch (one.kind) {
    case 'alu':
      return aluEffect(one, flags, (after & highBit(one.destination)) !== 0)
    case 'move': {
      const keepsHigh = one.bits === 64 && one.fromBits === 64 && (flags & (SOURCE_WIDE | SOURCE_POINTER)) !== 0
      const readsHigh = keepsHigh && (after & highBit(one.destination)) !== 0
      return { reads: operandBits(one.source, readsHigh), writes: bothBits(one.destination) }
    }
    case 'negate': {
      const readsHigh = one.bits === 64 && (after & highBit(one.destination)) !== 0
      return { reads: operandBits(one.destination, readsHigh), writes: bothBits(one.destination) }
    }
    case 'swap':
      return { reads: operandBits(one.destination, one.bits === 64), writes: bothBits(one.destination) }
    case 'load-immediate':
    case 'load-map':
    case 'load-map-value':
    case 'load-function':
      return { reads: 0, writes: bothBits(one.destination) }
    case 'load':
      return { reads: addressBits(one.base, region, facts.address[index]!), writes: bothBits(one.destination) }
    case 'store':
      return {
        reads: addressBits(one.base, region, facts.address[index]!) | operandBits(one.source, one.bytes === 8),
        writes: 0,
      }
    case 'atomic':
      return {
        reads:
          addressBits(one.base, region, facts.address[index]!) |
          operandBits(one.source, one.bytes === 8) |
          (one.operation === 'cmpxchg' ? operandBits(0, one.bytes === 8) : 0),
        writes: one.fetch ? bothBits(one.operation === 'cmpxchg' ? 0 : one.source) : 0,
      }
    case 'jump': {
      const decided = (flags & (TAKEN | NOT_TAKEN)) !== (TAKEN | NOT_TAKEN)
      if (decided) return { reads: 0, writes: 0 }
      const readsHigh = !comparesLowHalves(one, flags)
      return { reads: operandBits(one.destination, readsHigh) | operandBits(one.source, readsHigh), writes: 0 }
    }
    case 'goto':
      return { reads: 0, writes: 0 }
    case 'call':
      return { reads: callBits(helpers.get(one.helper), index, facts), writes: argumentsBits(5) | bothBits(0) }
    case 'call-local':
      return { reads: argumentsBits(5), writes: argumentsBits(5) | bothBits(0) }
    case 'exit':
      return { reads: bothBits(0), writes: 0 }
  }
}

/** A register operand; none for an immediate. */
function operandBits(register: number, high: boolean): number {
  return register < 0 ? 0 : lowBit(register) | (high ? highBit(register) : 0)
}

/** r1 .. rn, both halves. */
function argumentsBits(count: number): number {
  let bits = 0
  for (let register = 1; register <= count; register++) bits |= bothBits(register)
  return bits
}

/** A pointer's low half unless its address is constant, and its high half where the region is found at run time. */
function addressBits(base: number, region: number, address: number): number {
  if (region === FACT_MIXED) return bothBits(base)
  return region === REGION_CONTEXT || address >= 0 ? 0 : lowBit(base)
}

function callBits(helper: HelperSignature | undefined, index: number, facts: Facts): number {
  // A lookup in a known map needs its key only.
  // A call that no path reaches may name anything.
  if (helper === undefined) return 0
  if (helper === MAP_LOOKUP_ELEM && facts.map[index]! >= 0)
    return addressBits(2, facts.region[index]!, facts.address[index]!)
  return argumentsBits(helper.arguments.length)
}

function aluEffect(one: AluInstruction, flags: number, highIsLive: boolean): Effect {
  const { destination, source } = one
  if (one.bits === 32)
    return { reads: operandBits(destination, false) | operandBits(source, false), writes: bothBits(destination) }
  const pointers = flags & (DESTINATION_POINTER | SOURCE_POINTER)
  if (pointers === DESTINATION_POINTER)
    return { reads: operandBits(destination, false) | operandBits(source, false), writes: lowBit(destination) }
  if (pointers !== 0)
    return {
      reads: operandBits(destination, false) | operandBits(source, highIsLive && pointers === SOURCE_POINTER),
      writes: bothBits(destination),
    }
  const highCounts = needsHigh(one, flags, highIsLive)
  return {
    reads: operandBits(destination, highCounts) | operandBits(source, highCounts),
    writes: bothBits(destination),
  }
}

/** Whether the operation on numbers looks at high halves of its operands. */
export function needsHigh(one: AluInstruction, flags: number, highIsLive: boolean): boolean {
  switch (one.operation) {
    case 'add':
    case 'sub':
    case 'mul':
    case 'and':
    case 'or':
    case 'xor':
    case 'lsh':
      // Low halves make the low half; the high half is wanted only if it is read and can be other than zero.
      return highIsLive && (flags & RESULT_WIDE) !== 0
    default:
      return (flags & DESTINATION_WIDE) !== 0 || (flags & SOURCE_WIDE) !== 0
  }
}
