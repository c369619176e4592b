import type { AluOperation } from '../isa/instruction.ts'
import {
  constant,
  fromBits,
  higher,
  isConstant,
  lower,
  S32_MAX,
  S32_MIN,
  S64_MAX,
  S64_MIN,
  type Scalar,
  settled,
  signExtend,
  truncate,
  U32_MAX,
  UNKNOWN,
  upTo,
} from './scalar.ts'
import {
  MASK64,
  TNUM_UNKNOWN,
  type Tnum,
  tnumAdd,
  tnumAnd,
  tnumConstant,
  tnumMultiply,
  tnumOr,
  tnumShiftLeft,
  tnumShiftRight,
  tnumShiftRightSigned,
  tnumSubtract,
  tnumXor,
} from './tnum.ts'

/** What is known of `a op b`; a 32-bit operation takes low halves and leaves a zero high half. */
export function compute(operation: AluOperation, bits: 32 | 64, a: Scalar, b: Scalar): Scalar {
  if (isConstant(a) && isConstant(b)) return constant(evaluate(operation, bits, a.bits.value, b.bits.value))
  if (bits === 64) return lowHalf(operation, a, b, compute64(operation, a, isShift(operation) ? shiftOf(b, 64) : b))
  const left = truncate(a)
  const right = truncate(b)
  const whole =
    operation === 'arsh' || operation === 'sdiv' || operation === 'smod'
      ? compute64(operation, signExtend(left, 32), operation === 'arsh' ? shiftOf(right, 32) : signExtend(right, 32))
      : compute64(operation, left, isShift(operation) ? shiftOf(right, 32) : right)
  return truncate(lowHalf(operation, left, right, whole))
}

/** Sums and differences of low halves that do not wrap bound the low half of the result, whatever the high halves are. */
function lowHalf(operation: AluOperation, a: Scalar, b: Scalar, whole: Scalar): Scalar {
  if (operation !== 'add' && operation !== 'sub') return whole
  const adds = operation === 'add'
  const min = adds ? a.min32 + b.min32 : a.min32 - b.max32
  const max = adds ? a.max32 + b.max32 : a.max32 - b.min32
  const signedMin = adds ? a.signedMin32 + b.signedMin32 : a.signedMin32 - b.signedMax32
  const signedMax = adds ? a.signedMax32 + b.signedMax32 : a.signedMax32 - b.signedMin32
  const wraps = min < 0 || max > U32_MAX
  const signedWraps = signedMin < S32_MIN || signedMax > S32_MAX
  if (wraps && signedWraps) return whole
  return settled({
    ...whole,
    ...(wraps ? {} : { min32: Math.max(min, whole.min32), max32: Math.min(max, whole.max32) }),
    ...(signedWraps
      ? {}
      : { signedMin32: Math.max(signedMin, whole.signedMin32), signedMax32: Math.min(signedMax, whole.signedMax32) }),
  })
}

/** One result. Source: RFC 9669 section 4.1. */
function evaluate(operation: AluOperation, bits: 32 | 64, left: bigint, right: bigint): bigint {
  const a = BigInt.asUintN(bits, left)
  const b = BigInt.asUintN(bits, right)
  return BigInt.asUintN(bits, evaluated(operation, bits, a, b))
}

function evaluated(operation: AluOperation, bits: 32 | 64, a: bigint, b: bigint): bigint {
  switch (operation) {
    case 'add':
      return a + b
    case 'sub':
      return a - b
    case 'mul':
      return a * b
    case 'div':
      return b === 0n ? 0n : a / b
    case 'sdiv':
      return b === 0n ? 0n : BigInt.asIntN(bits, a) / BigInt.asIntN(bits, b)
    case 'mod':
      return b === 0n ? a : a % b
    case 'smod':
      return b === 0n ? a : BigInt.asIntN(bits, a) % BigInt.asIntN(bits, b)
    case 'or':
      return a | b
    case 'and':
      return a & b
    case 'xor':
      return a ^ b
    case 'lsh':
      return a << (b & BigInt(bits - 1))
    case 'rsh':
      return a >> (b & BigInt(bits - 1))
    case 'arsh':
      return BigInt.asIntN(bits, a) >> (b & BigInt(bits - 1))
  }
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
      return UNKNOWN
    case 'smod':
      return signedModulo(a, b)
    case 'lsh':
      return isConstant(b) ? shiftLeft(a, b.min) : fromBits(UNKNOWN.bits)
    case 'rsh':
      return isConstant(b)
        ? bounded(tnumShiftRight(a.bits, b.min), a.min >> b.min, a.max >> b.min, S64_MIN, S64_MAX)
        : upTo(a.max)
    case 'arsh':
      if (!isConstant(b)) return a.signedMin >= 0n ? upTo(a.max) : UNKNOWN
      return bounded(tnumShiftRightSigned(a.bits, b.min), 0n, MASK64, a.signedMin >> b.min, a.signedMax >> b.min)
  }
}

/** By a known number of bits. From 32 bits on only the low half counts. Source: Linux __scalar64_min_max_lsh. */
function shiftLeft(a: Scalar, by: bigint): Scalar {
  const bits = tnumShiftLeft(a.bits, by)
  if (by < 32n) return bounded(bits, a.min << by, a.max << by, S64_MIN, S64_MAX)
  return bounded(
    bits,
    BigInt(a.min32) << by,
    BigInt(a.max32) << by,
    BigInt(a.signedMin32) << by,
    BigInt(a.signedMax32) << by,
  )
}

/** The remainder has the sign of the dividend and is smaller than a divisor that is known. */
function signedModulo(a: Scalar, b: Scalar): Scalar {
  if (!isConstant(b) || b.signedMin === 0n || b.signedMin === S64_MIN) return UNKNOWN
  const limit = (b.signedMin < 0n ? -b.signedMin : b.signedMin) - 1n
  return settled({
    ...UNKNOWN,
    signedMin: a.signedMin >= 0n ? 0n : higher(-limit, a.signedMin),
    signedMax: a.signedMax < 0n ? 0n : lower(limit, a.signedMax),
  })
}

/** Bounds that left the 64 bits say nothing: the operation may have wrapped. */
function bounded(bits: Tnum, min: bigint, max: bigint, signedMin: bigint, signedMax: bigint): Scalar {
  const wraps = min < 0n || max > MASK64
  const signedWraps = signedMin < S64_MIN || signedMax > S64_MAX
  return settled({
    ...UNKNOWN,
    bits,
    min: wraps ? 0n : min,
    max: wraps ? MASK64 : max,
    signedMin: signedWraps ? S64_MIN : signedMin,
    signedMax: signedWraps ? S64_MAX : signedMax,
  })
}
