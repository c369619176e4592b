import type { AluOperation, Condition } from '../isa/instruction.ts'
import {
  MASK32,
  MASK64,
  TNUM_UNKNOWN,
  type Tnum,
  tnumAdd,
  tnumAnd,
  tnumConstant,
  tnumCovers,
  tnumIntersect,
  tnumMultiply,
  tnumOr,
  tnumRange,
  tnumShiftLeft,
  tnumShiftRight,
  tnumShiftRightSigned,
  tnumSubtract,
  tnumTruncate,
  tnumXor,
} from './tnum.ts'

/**
 * What the verifier knows of a number: its bits, its bounds as an unsigned and as a signed 64-bit number. Immutable.
 * Source: Linux kernel/bpf/verifier.c, struct bpf_reg_state.
 */
export interface Scalar {
  readonly bits: Tnum
  readonly min: bigint
  readonly max: bigint
  readonly signedMin: bigint
  readonly signedMax: bigint
}

export const S64_MIN: bigint = -(1n << 63n)
export const S64_MAX: bigint = (1n << 63n) - 1n

/** Any 64-bit number. */
export const UNKNOWN: Scalar = { bits: TNUM_UNKNOWN, min: 0n, max: MASK64, signedMin: S64_MIN, signedMax: S64_MAX }

/** One number; `value` may be given signed or unsigned. */
export function constant(value: bigint): Scalar {
  const unsigned = value & MASK64
  const signed = BigInt.asIntN(64, value)
  return { bits: tnumConstant(unsigned), min: unsigned, max: unsigned, signedMin: signed, signedMax: signed }
}

/** Any unsigned 32-bit number. */
export const MASK32_NUMBER: Scalar = {
  bits: { value: 0n, mask: MASK32 },
  min: 0n,
  max: MASK32,
  signedMin: 0n,
  signedMax: MASK32,
}

/** Any number from 0 to `max`. */
export function upTo(max: bigint): Scalar {
  return settle(tnumRange(0n, max), 0n, max, S64_MIN, S64_MAX)!
}

/** Is only one number left? */
export function isConstant(one: Scalar): boolean {
  return one.bits.mask === 0n
}

/** Its high half is zero. */
export function fitsWord(one: Scalar): boolean {
  return one.max <= MASK32
}

/** Every value of `b` is one of `a`. */
export function scalarCovers(a: Scalar, b: Scalar): boolean {
  return (
    a.min <= b.min &&
    a.max >= b.max &&
    a.signedMin <= b.signedMin &&
    a.signedMax >= b.signedMax &&
    tnumCovers(a.bits, b.bits)
  )
}

function lower(a: bigint, b: bigint): bigint {
  if (a < b) return a
  return b
}

function higher(a: bigint, b: bigint): bigint {
  if (a > b) return a
  return b
}

/** Lets bits and both pairs of bounds narrow one another; undefined if nothing is left: the state can't happen. */
function settle(bits: Tnum, min: bigint, max: bigint, signedMin: bigint, signedMax: bigint): Scalar | undefined {
  let known = bits
  for (let pass = 0; pass < 2; pass++) {
    min = higher(min, known.value)
    max = lower(max, known.value | known.mask)
    // Unsigned bounds on one side of the sign boundary are signed bounds, and the other way round.
    if (max <= BigInt.asUintN(64, S64_MAX) || min > BigInt.asUintN(64, S64_MAX)) {
      signedMin = higher(signedMin, BigInt.asIntN(64, min))
      signedMax = lower(signedMax, BigInt.asIntN(64, max))
    }
    if (signedMin >= 0n || signedMax < 0n) {
      min = higher(min, BigInt.asUintN(64, signedMin))
      max = lower(max, BigInt.asUintN(64, signedMax))
    }
    if (min > max || signedMin > signedMax) return undefined
    const ranged = tnumRange(min, max)
    if ((known.value ^ ranged.value) & ~known.mask & ~ranged.mask) return undefined
    known = tnumIntersect(known, ranged)
  }
  return { bits: known, min, max, signedMin, signedMax }
}

function fromBits(bits: Tnum): Scalar {
  return settle(bits, 0n, MASK64, S64_MIN, S64_MAX)!
}

/** The low 32 bits, zero-extended: what a 32-bit operation leaves. */
export function truncate(one: Scalar): Scalar {
  return fitsWord(one) ? one : fromBits(tnumTruncate(one.bits))
}

/** The low `bits`, sign-extended to 64. */
export function signExtend(one: Scalar, bits: number): Scalar {
  if (isConstant(one)) return constant(BigInt.asIntN(bits, one.bits.value))
  const limit = 1n << BigInt(bits - 1)
  if (one.signedMin >= -limit && one.signedMax < limit) return one
  return settle(TNUM_UNKNOWN, 0n, MASK64, -limit, limit - 1n)!
}

/** The low `bits`, zero-extended. */
export function lowBits(one: Scalar, bits: number): Scalar {
  const limit = (1n << BigInt(bits)) - 1n
  return one.max <= limit ? one : fromBits(tnumAnd(one.bits, tnumConstant(limit)))
}

/** a op b in 64 bits; for 32 bits call it with truncated operands and {@link truncate} the result. */
export function compute(operation: AluOperation, bits: 32 | 64, a: Scalar, b: Scalar): Scalar {
  if (bits === 32) {
    const left = truncate(a)
    const right = truncate(b)
    if (operation === 'arsh' || operation === 'sdiv' || operation === 'smod')
      return truncate(
        compute64(operation, signExtend(left, 32), operation === 'arsh' ? shiftOf(right, 32) : signExtend(right, 32)),
      )
    return truncate(compute64(operation, left, isShift(operation) ? shiftOf(right, 32) : right))
  }
  return compute64(operation, a, isShift(operation) ? shiftOf(b, 64) : b)
}

function isShift(operation: AluOperation): boolean {
  return operation === 'lsh' || operation === 'rsh' || operation === 'arsh'
}

/** A shift distance as the machine takes it: modulo the width. */
function shiftOf(by: Scalar, bits: number): Scalar {
  return by.max < BigInt(bits) ? by : fromBits(tnumAnd(by.bits, tnumConstant(BigInt(bits - 1))))
}

function compute64(operation: AluOperation, a: Scalar, b: Scalar): Scalar {
  switch (operation) {
    case 'add':
      return bounded(
        tnumAdd(a.bits, b.bits),
        a.min + b.min,
        a.max + b.max,
        a.signedMin + b.signedMin,
        a.signedMax + b.signedMax,
      )
    case 'sub':
      return bounded(
        tnumSubtract(a.bits, b.bits),
        a.min - b.max,
        a.max - b.min,
        a.signedMin - b.signedMax,
        a.signedMax - b.signedMin,
      )
    case 'mul':
      return bounded(tnumMultiply(a.bits, b.bits), a.min * b.min, a.max * b.max, S64_MIN, S64_MAX)
    case 'and':
      return bounded(tnumAnd(a.bits, b.bits), 0n, lower(a.max, b.max), S64_MIN, S64_MAX)
    case 'or':
      return bounded(tnumOr(a.bits, b.bits), higher(a.min, b.min), MASK64, S64_MIN, S64_MAX)
    case 'xor':
      return fromBits(tnumXor(a.bits, b.bits))
    case 'div':
      return isConstant(b) && b.min > 0n
        ? bounded(TNUM_UNKNOWN, a.min / b.min, a.max / b.min, S64_MIN, S64_MAX)
        : upTo(a.max)
    case 'mod':
      // Modulo zero leaves the dividend, so only a divisor that can't be zero bounds the result by itself.
      return b.min > 0n && b.max - 1n < a.max ? upTo(b.max - 1n) : upTo(a.max)
    case 'sdiv':
      return isConstant(a) && isConstant(b) && b.signedMin !== 0n ? constant(a.signedMin / b.signedMin) : UNKNOWN
    case 'smod':
      return isConstant(a) && isConstant(b) && b.signedMin !== 0n ? constant(a.signedMin % b.signedMin) : UNKNOWN
    case 'lsh':
      return isConstant(b)
        ? bounded(tnumShiftLeft(a.bits, b.min), a.min << b.min, a.max << b.min, S64_MIN, S64_MAX)
        : UNKNOWN
    case 'rsh':
      return isConstant(b)
        ? bounded(tnumShiftRight(a.bits, b.min), a.min >> b.min, a.max >> b.min, S64_MIN, S64_MAX)
        : upTo(a.max)
    case 'arsh':
      if (!isConstant(b)) return a.signedMin >= 0n ? upTo(a.max) : UNKNOWN
      return bounded(tnumShiftRightSigned(a.bits, b.min), 0n, MASK64, a.signedMin >> b.min, a.signedMax >> b.min)
  }
}

/** Bounds that left the 64 bits say nothing: the operation may have wrapped. */
function bounded(bits: Tnum, min: bigint, max: bigint, signedMin: bigint, signedMax: bigint): Scalar {
  const wraps = min < 0n || max > MASK64
  const signedWraps = signedMin < S64_MIN || signedMax > S64_MAX
  return settle(
    bits,
    wraps ? 0n : min,
    wraps ? MASK64 : max,
    signedWraps ? S64_MIN : signedMin,
    signedWraps ? S64_MAX : signedMax,
  )!
}

const OPPOSITES: Readonly<Record<Exclude<Condition, 'set'>, Exclude<Condition, 'set'>>> = {
  eq: 'ne',
  ne: 'eq',
  gt: 'le',
  le: 'gt',
  ge: 'lt',
  lt: 'ge',
  sgt: 'sle',
  sle: 'sgt',
  sge: 'slt',
  slt: 'sge',
}

/** Operands of a comparison once it is known to hold, or undefined: it can't hold. */
export function assume(
  condition: Condition,
  holds: boolean,
  bits: 32 | 64,
  a: Scalar,
  b: Scalar,
): { readonly a: Scalar; readonly b: Scalar } | undefined {
  if (condition === 'set') return assumeSet(holds, bits, a, b)
  const effective = holds ? condition : OPPOSITES[condition]
  if (bits === 64) return narrow(effective, a, b)
  const signed = effective.startsWith('s')
  const limit = signed ? MASK32 >> 1n : MASK32
  // The low halves compare as the whole numbers do when both are small; otherwise only constants decide.
  if (a.max <= limit && b.max <= limit) return narrow(effective, a, b)
  const left = signed ? signExtend(truncate(a), 32) : truncate(a)
  const right = signed ? signExtend(truncate(b), 32) : truncate(b)
  const narrowed = narrow(effective, left, right)
  if (narrowed === undefined) return undefined
  // A range of low halves that is not negative is also a range of a register whose high half is zero.
  const keep = (one: Scalar, low: Scalar): Scalar => (fitsWord(one) && low.signedMin >= 0n ? low : one)
  return { a: keep(a, narrowed.a), b: keep(b, narrowed.b) }
}

function assumeSet(holds: boolean, bits: 32 | 64, a: Scalar, b: Scalar): { a: Scalar; b: Scalar } | undefined {
  const left = bits === 32 ? tnumTruncate(a.bits) : a.bits
  const right = bits === 32 ? tnumTruncate(b.bits) : b.bits
  const common = tnumAnd(left, right)
  if (holds && common.value === 0n && common.mask === 0n) return undefined
  if (!holds && common.value !== 0n) return undefined
  if (!holds && isConstant(b)) {
    const cleared = tnumAnd(a.bits, tnumConstant(MASK64 & ~right.value))
    const narrowed = settle(cleared, a.min, a.max, a.signedMin, a.signedMax)
    return narrowed === undefined ? undefined : { a: narrowed, b }
  }
  return { a, b }
}

function narrow(condition: Exclude<Condition, 'set'>, a: Scalar, b: Scalar): { a: Scalar; b: Scalar } | undefined {
  switch (condition) {
    case 'eq':
      return narrowEqual(a, b)
    case 'ne': {
      if (isConstant(a) && isConstant(b) && a.min === b.min) return undefined
      return both(isConstant(b) ? without(a, b.min) : a, isConstant(a) ? without(b, a.min) : b)
    }
    case 'gt':
      return both(clip(a, b.min + 1n, MASK64), clip(b, 0n, a.max - 1n))
    case 'ge':
      return both(clip(a, b.min, MASK64), clip(b, 0n, a.max))
    case 'lt':
      return both(clip(a, 0n, b.max - 1n), clip(b, a.min + 1n, MASK64))
    case 'le':
      return both(clip(a, 0n, b.max), clip(b, a.min, MASK64))
    case 'sgt':
      return both(clipSigned(a, b.signedMin + 1n, S64_MAX), clipSigned(b, S64_MIN, a.signedMax - 1n))
    case 'sge':
      return both(clipSigned(a, b.signedMin, S64_MAX), clipSigned(b, S64_MIN, a.signedMax))
    case 'slt':
      return both(clipSigned(a, S64_MIN, b.signedMax - 1n), clipSigned(b, a.signedMin + 1n, S64_MAX))
    case 'sle':
      return both(clipSigned(a, S64_MIN, b.signedMax), clipSigned(b, a.signedMin, S64_MAX))
  }
}

function both(a: Scalar | undefined, b: Scalar | undefined): { a: Scalar; b: Scalar } | undefined {
  return a === undefined || b === undefined ? undefined : { a, b }
}

function narrowEqual(a: Scalar, b: Scalar): { a: Scalar; b: Scalar } | undefined {
  if ((a.bits.value ^ b.bits.value) & ~a.bits.mask & ~b.bits.mask) return undefined
  const same = settle(
    tnumIntersect(a.bits, b.bits),
    higher(a.min, b.min),
    lower(a.max, b.max),
    higher(a.signedMin, b.signedMin),
    lower(a.signedMax, b.signedMax),
  )
  return both(same, same)
}

/** A value known not to be `excluded` loses it at either end of its range. */
function without(a: Scalar, excluded: bigint): Scalar | undefined {
  const signed = BigInt.asIntN(64, excluded)
  return settle(
    a.bits,
    a.min === excluded ? a.min + 1n : a.min,
    a.max === excluded ? a.max - 1n : a.max,
    a.signedMin === signed ? a.signedMin + 1n : a.signedMin,
    a.signedMax === signed ? a.signedMax - 1n : a.signedMax,
  )
}

function clip(a: Scalar, min: bigint, max: bigint): Scalar | undefined {
  return settle(a.bits, higher(a.min, min), lower(a.max, max), a.signedMin, a.signedMax)
}

function clipSigned(a: Scalar, min: bigint, max: bigint): Scalar | undefined {
  return settle(a.bits, a.min, a.max, higher(a.signedMin, min), lower(a.signedMax, max))
}
