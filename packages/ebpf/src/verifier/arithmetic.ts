import type { AluInstruction, MoveInstruction, SwapInstruction } from '../isa/instruction.ts'
import { POINTER_OFFSET_MAX } from './access.ts'
import {
  DESTINATION_NUMBER,
  DESTINATION_POINTER,
  DESTINATION_WIDE,
  DIVISOR_MAY_BE_ZERO,
  RESULT_WIDE,
  SOURCE_NUMBER,
  SOURCE_POINTER,
  SOURCE_WIDE,
} from './facts.ts'
import {
  describeRegister,
  isPacket,
  isPointer,
  NULLABLE,
  numberRegister,
  type Register,
  type RegisterKind,
} from './register.ts'
import { constant, fitsWord, isConstant, lowBits, type Scalar, signExtend, truncate, UNKNOWN } from './scalar.ts'
import { compute } from './scalar-compute.ts'
import { initialised, type Site } from './site.ts'

/** The second operand: a register, or the immediate sign-extended to 64 bits. */
export function operandOf(site: Site, one: { readonly source: number; readonly immediate: number }): Register {
  return one.source < 0 ? numberRegister(constant(BigInt(one.immediate))) : initialised(site, one.source)
}

/** Tells the compiler what the operands may be. `asNumbers`: pointers are taken as 64-bit numbers. */
export function noteOperands(site: Site, destination: Register, source: Register, asNumbers = false): void {
  const left = isPointer(destination) && !asNumbers ? DESTINATION_POINTER : DESTINATION_NUMBER
  const right = isPointer(source) && !asNumbers ? SOURCE_POINTER : SOURCE_NUMBER
  const leftWide = left === DESTINATION_NUMBER && !isWord(destination) ? DESTINATION_WIDE : 0
  const rightWide = right === SOURCE_NUMBER && !isWord(source) ? SOURCE_WIDE : 0
  site.facts.flags[site.index]! |= left | right | leftWide | rightWide
}

function isWord(one: Register): boolean {
  return one.kind === 'number' && fitsWord(one.number)
}

function noteResult(site: Site, result: Register): void {
  if (result.kind === 'number' && !fitsWord(result.number)) site.facts.flags[site.index]! |= RESULT_WIDE
}

/** What an operation leaves in its destination; refuses what pointers can not take part in. */
export function checkAlu(site: Site, one: AluInstruction): Register {
  const left = initialised(site, one.destination)
  const right = operandOf(site, one)
  noteOperands(site, left, right)
  if (right.kind !== 'number' || (one.bits === 32 ? right.number.min32 === 0 : right.number.min === 0n))
    site.facts.flags[site.index]! |= DIVISOR_MAY_BE_ZERO
  const result =
    left.kind === 'number' && right.kind === 'number'
      ? numberRegister(compute(one.operation, one.bits, left.number, right.number))
      : checkPointerAlu(site, one, left, right)
  noteResult(site, result)
  return result
}

/**
 * Pointer plus or minus number, number plus pointer; differences of pointers, and in 32 bits with anything, are numbers.
 * Source: Linux kernel/bpf/verifier.c, adjust_reg_min_max_vals and adjust_ptr_min_max_vals with allow_ptr_leaks.
 */
function checkPointerAlu(site: Site, one: AluInstruction, left: Register, right: Register): Register {
  const pointer = isPointer(left) ? left : right
  if (one.operation === 'sub' && one.bits === 32) return numberRegister(truncate(UNKNOWN))
  if (one.bits === 32) site.fail(`32-bit arithmetic on ${describeRegister(pointer)}; accepted: subtracting`)
  // Low halves are subtracted: offsets in one memory.
  if (one.operation === 'sub' && isPointer(left) && isPointer(right)) return numberRegister(signExtend(UNKNOWN, 32))
  const adds = one.operation === 'add' && !(isPointer(left) && isPointer(right))
  const subtracts = one.operation === 'sub' && isPointer(left)
  if (!adds && !subtracts)
    site.fail(`this arithmetic on ${describeRegister(pointer)}; accepted: adding and subtracting`)
  if (UNMOVABLE.has(pointer.kind)) site.fail(`arithmetic on ${describeRegister(pointer)}`)
  return move(site, pointer, isPointer(left) ? right.number : left.number, subtracts)
}

const UNMOVABLE: ReadonlySet<RegisterKind> = new Set<RegisterKind>([
  'packet-end',
  'map',
  'function',
  ...NULLABLE.keys(),
])

/**
 * A pointer moved by a number. By a constant it keeps what is known of it, by a variable what is known of it starts
 * again.
 */
function move(site: Site, pointer: Register, by: Scalar, subtracts: boolean): Register {
  const delta = subtracts ? compute('sub', 64, constant(0n), by) : by
  if (isConstant(delta)) {
    const offset = BigInt(pointer.offset) + delta.signedMin
    if (offset > POINTER_OFFSET_MAX || offset < -POINTER_OFFSET_MAX)
      site.fail(`pointer offset ${offset} is beyond 2^29 bytes`)
    return { ...pointer, offset: Number(offset) }
  }
  if (pointer.kind === 'context') site.fail('variable offset into the context')
  const number = compute('add', 64, pointer.number, delta)
  if (number.signedMin < -POINTER_OFFSET_MAX || number.signedMax > POINTER_OFFSET_MAX)
    site.fail('variable pointer offset is not bounded to 2^29 bytes: compare the number with its limits first')
  return isPacket(pointer.kind) ? { ...pointer, number, range: 0, id: site.newId() } : { ...pointer, number, id: 0 }
}

/** What a move leaves in its destination; only whole moves take pointers. */
export function checkMove(site: Site, one: MoveInstruction): Register {
  const source = operandOf(site, one)
  noteOperands(site, source, source)
  const result = moved(site, one, source)
  noteResult(site, result)
  return result
}

function moved(site: Site, one: MoveInstruction, source: Register): Register {
  if (one.bits === 64 && one.fromBits === 64) return one.source < 0 ? source : linked(site, one.source, source)
  if (source.kind !== 'number')
    return numberRegister(one.bits === 32 ? truncate(UNKNOWN) : signExtend(UNKNOWN, one.fromBits))
  if (one.bits === 32 && one.fromBits === 32 && one.source >= 0 && fitsWord(source.number))
    return linked(site, one.source, source)
  const extended =
    one.fromBits < one.bits ? signExtend(lowBits(source.number, one.fromBits), one.fromBits) : source.number
  return numberRegister(one.bits === 32 ? truncate(extended) : extended)
}

/** Both registers hold the same number from here on: what a comparison tells of one holds for the other. */
function linked(site: Site, number: number, source: Register): Register {
  if (source.kind !== 'number' || isConstant(source.number)) return source
  if (source.id === 0) site.state.registers[number] = { ...source, id: site.newId() }
  return site.state.registers[number]!
}

/** What negation leaves in its destination. */
export function checkNegate(site: Site, destination: number, bits: 32 | 64): Register {
  const register = initialised(site, destination)
  const number = register.kind === 'number' ? register.number : UNKNOWN
  return numberRegister(compute('sub', bits, constant(0n), number))
}

/** What a change of byte order leaves in its destination. */
export function checkSwap(site: Site, one: SwapInstruction): Register {
  const register = initialised(site, one.destination)
  const low = lowBits(register.kind === 'number' ? register.number : UNKNOWN, one.bits)
  if (one.order === 'le') return numberRegister(low)
  if (!isConstant(low)) return numberRegister(lowBits(UNKNOWN, one.bits))
  let swapped = 0n
  for (let i = 0; i < one.bits; i += 8) swapped = (swapped << 8n) | ((low.min >> BigInt(i)) & 0xffn)
  return numberRegister(constant(swapped))
}
