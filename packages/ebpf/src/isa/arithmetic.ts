import type { AluOperation, AtomicOperation, Condition, MoveInstruction, SwapInstruction } from './instruction.ts'
import {
  divideSigned,
  divideUnsigned,
  high,
  moduloSigned,
  moduloUnsigned,
  multiply,
  shiftLeft,
  shiftRight,
  shiftRightSigned,
  swapWord,
} from './wide.ts'

/*
 * What each arithmetic instruction computes, on signed 32-bit halves: the low half is returned, the high half left in
 * high[0]. Source: RFC 9669 sections 4.1 to 4.3 and 5.2.
 */

function wide(low: number, top: number): number {
  high[0] = top
  return low | 0
}

/** a op b in 64 bits. */
export function alu64(operation: AluOperation, a: number, aHigh: number, b: number, bHigh: number): number {
  switch (operation) {
    case 'add': {
      const low = (a >>> 0) + (b >>> 0)
      return wide(low, aHigh + bHigh + (low > 0xffff_ffff ? 1 : 0))
    }
    case 'sub':
      return wide(a - b, aHigh - bHigh - (a >>> 0 < b >>> 0 ? 1 : 0))
    case 'mul':
      return multiply(a, aHigh, b, bHigh)
    case 'div':
      return divideUnsigned(a, aHigh, b, bHigh)
    case 'sdiv':
      return divideSigned(a, aHigh, b, bHigh)
    case 'mod':
      return moduloUnsigned(a, aHigh, b, bHigh)
    case 'smod':
      return moduloSigned(a, aHigh, b, bHigh)
    case 'or':
      return wide(a | b, aHigh | bHigh)
    case 'and':
      return wide(a & b, aHigh & bHigh)
    case 'xor':
      return wide(a ^ b, aHigh ^ bHigh)
    case 'lsh':
      return shiftLeft(a, aHigh, b)
    case 'rsh':
      return shiftRight(a, aHigh, b)
    case 'arsh':
      return shiftRightSigned(a, aHigh, b)
  }
}

/** a op b in 32 bits; the high half of the destination becomes zero. Shift distances count modulo 32, as JavaScript's do. */
export function alu32(operation: AluOperation, a: number, b: number): number {
  switch (operation) {
    case 'add':
      return (a + b) | 0
    case 'sub':
      return (a - b) | 0
    case 'mul':
      return Math.imul(a, b)
    case 'div':
      return b === 0 ? 0 : ((a >>> 0) / (b >>> 0)) | 0
    case 'sdiv':
      return b === 0 ? 0 : (a / b) | 0
    case 'mod':
      return b === 0 ? a : ((a >>> 0) % (b >>> 0)) | 0
    case 'smod':
      return b === 0 ? a : (a % b) | 0
    case 'or':
      return a | b
    case 'and':
      return a & b
    case 'xor':
      return a ^ b
    case 'lsh':
      return a << b
    case 'rsh':
      return (a >>> b) | 0
    case 'arsh':
      return a >> b
  }
}

/** The moved value: all of it, or sign-extended from fewer bits. */
export function moved(one: MoveInstruction, low: number, top: number): number {
  const value = one.fromBits === 8 ? (low << 24) >> 24 : one.fromBits === 16 ? (low << 16) >> 16 : low
  if (one.bits === 32) return wide(value, 0)
  return wide(value, one.fromBits === 64 ? top : value >> 31)
}

/** The low bits in the order that the instruction asks for, zero-extended. */
export function swapped(one: SwapInstruction, low: number, top: number): number {
  const keeps = one.order === 'le'
  if (one.bits === 16) return wide(keeps ? low & 0xffff : swapWord(low) >>> 16, 0)
  if (one.bits === 32) return wide(keeps ? low : swapWord(low), 0)
  return keeps ? wide(low, top) : wide(swapWord(top), swapWord(low))
}

/** What an atomic instruction leaves in memory, given what was there, its operand and r0. */
export function atomic(
  operation: AtomicOperation,
  old: number,
  oldHigh: number,
  operand: number,
  operandHigh: number,
  expected: number,
  expectedHigh: number,
): number {
  switch (operation) {
    case 'xchg':
      return wide(operand, operandHigh)
    case 'cmpxchg':
      return old === expected && oldHigh === expectedHigh ? wide(operand, operandHigh) : wide(old, oldHigh)
    default:
      return alu64(operation, old, oldHigh, operand, operandHigh)
  }
}

/** Whether a comparison holds. For 32 bits pass the same high halves on both sides, and the sign in them for signed ones. */
export function compare(condition: Condition, a: number, aHigh: number, b: number, bHigh: number): boolean {
  const below = aHigh >>> 0 < bHigh >>> 0 || (aHigh === bHigh && a >>> 0 < b >>> 0)
  const belowSigned = aHigh < bHigh || (aHigh === bHigh && a >>> 0 < b >>> 0)
  const equal = a === b && aHigh === bHigh
  switch (condition) {
    case 'eq':
      return equal
    case 'ne':
      return !equal
    case 'set':
      return ((a & b) | (aHigh & bHigh)) !== 0
    case 'lt':
      return below
    case 'le':
      return below || equal
    case 'gt':
      return !below && !equal
    case 'ge':
      return !below
    case 'slt':
      return belowSigned
    case 'sle':
      return belowSigned || equal
    case 'sgt':
      return !belowSigned && !equal
    case 'sge':
      return !belowSigned
  }
}

/** As {@link compare}, of low halves. */
export function compare32(condition: Condition, a: number, b: number): boolean {
  return condition === 'set'
    ? (a & b) !== 0
    : condition.startsWith('s')
      ? compare(condition, a, a >> 31, b, b >> 31)
      : compare(condition, a, 0, b, 0)
}
