import fc from 'fast-check'
import type { AluOperation, Condition } from '../src/isa/instruction.ts'

export const OPERATIONS: readonly AluOperation[] = [
  'add',
  'sub',
  'mul',
  'div',
  'sdiv',
  'or',
  'and',
  'lsh',
  'rsh',
  'mod',
  'smod',
  'xor',
  'arsh',
]

export const SHIFTS: ReadonlySet<AluOperation> = new Set<AluOperation>(['lsh', 'rsh', 'arsh'])
export const DIVIDES: ReadonlySet<AluOperation> = new Set<AluOperation>(['div', 'sdiv', 'mod', 'smod'])

export const CONDITIONS: readonly Condition[] = ['eq', 'gt', 'ge', 'set', 'ne', 'sgt', 'sge', 'lt', 'le', 'slt', 'sle']

/** RFC 9669 section 4.1 in BigInt, at any width. */
export function computed(operation: AluOperation, bits: number, left: bigint, right: bigint): bigint {
  const a = BigInt.asUintN(bits, left)
  const b = BigInt.asUintN(bits, right)
  const signedA = BigInt.asIntN(bits, left)
  const signedB = BigInt.asIntN(bits, right)
  const by = b & BigInt(bits - 1)
  const results: Record<AluOperation, () => bigint> = {
    add: () => a + b,
    sub: () => a - b,
    mul: () => a * b,
    div: () => (b === 0n ? 0n : a / b),
    sdiv: () => (b === 0n ? 0n : signedA / signedB),
    or: () => a | b,
    and: () => a & b,
    xor: () => a ^ b,
    lsh: () => a << by,
    rsh: () => a >> by,
    arsh: () => signedA >> by,
    mod: () => (b === 0n ? a : a % b),
    smod: () => (b === 0n ? a : signedA % signedB),
  }
  return BigInt.asUintN(bits, results[operation]())
}

/** RFC 9669 section 4.3 in BigInt, at any width. */
export function holds(condition: Condition, bits: number, left: bigint, right: bigint): boolean {
  const a = BigInt.asUintN(bits, left)
  const b = BigInt.asUintN(bits, right)
  const signedA = BigInt.asIntN(bits, left)
  const signedB = BigInt.asIntN(bits, right)
  const results: Record<Condition, boolean> = {
    eq: a === b,
    ne: a !== b,
    gt: a > b,
    ge: a >= b,
    lt: a < b,
    le: a <= b,
    set: (a & b) !== 0n,
    sgt: signedA > signedB,
    sge: signedA >= signedB,
    slt: signedA < signedB,
    sle: signedA <= signedB,
  }
  return results[condition]
}

/** Values at which widths, signs and carries change. */
export const EDGES = [
  0n,
  1n,
  2n,
  7n,
  31n,
  32n,
  33n,
  63n,
  64n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x1_0000_0000n,
  0x1_0000_0001n,
  0x7fffffff_ffffffffn,
  0x80000000_00000000n,
  0xffffffff_00000000n,
  0xffffffff_80000000n,
  0xffffffff_fffffffen,
  0xffffffff_ffffffffn,
]

/** Any 64-bit value, edges often. */
export const word64 = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.bigInt({ min: 0n, max: 255n }),
)

/** Any 32-bit value, edges often. */
export const word32 = fc.oneof(
  fc.constantFrom(...EDGES.filter((edge) => edge < 1n << 32n)),
  fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }),
)
