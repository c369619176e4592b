import type { Condition } from '../isa/instruction.ts'
import { higher, isConstant, lower, S64_MAX, S64_MIN, type Scalar, settle, signExtend, truncate } from './scalar.ts'
import { MASK32, MASK64, tnumAnd, tnumConstant, tnumIntersect, tnumTruncate } from './tnum.ts'

const HIGH_HALF = MASK64 & ~MASK32

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
  // Counters of loops: what is known needs no narrowing.
  if (isConstant(a) && isConstant(b)) return decided(condition, bits, a, b) === holds ? { a, b } : undefined
  if (condition === 'set') return assumeSet(holds, bits, a, b)
  const effective = holds ? condition : OPPOSITES[condition]
  if (bits === 64) return narrow(effective, a, b)
  const signed = effective.startsWith('s')
  const left = truncate(a)
  const right = truncate(b)
  const narrowed = signed
    ? narrow(effective, signExtend(left, 32), signExtend(right, 32))
    : narrow(effective, left, right)
  return narrowed === undefined ? undefined : both(lowHalfIs(a, narrowed.a), lowHalfIs(b, narrowed.b))
}

/** Whether a comparison of two known numbers holds. */
function decided(condition: Condition, bits: 32 | 64, a: Scalar, b: Scalar): boolean {
  const wide = bits === 64
  const left = wide ? a.min : a.min32
  const right = wide ? b.min : b.min32
  const signedLeft = wide ? a.signedMin : a.signedMin32
  const signedRight = wide ? b.signedMin : b.signedMin32
  switch (condition) {
    case 'eq':
      return left === right
    case 'ne':
      return left !== right
    case 'gt':
      return left > right
    case 'ge':
      return left >= right
    case 'lt':
      return left < right
    case 'le':
      return left <= right
    case 'sgt':
      return signedLeft > signedRight
    case 'sge':
      return signedLeft >= signedRight
    case 'slt':
      return signedLeft < signedRight
    case 'sle':
      return signedLeft <= signedRight
    case 'set':
      return (a.bits.value & b.bits.value & (wide ? MASK64 : MASK32)) !== 0n
  }
}

/** A number whose low half is known to be that of `low`. */
function lowHalfIs(one: Scalar, low: Scalar): Scalar | undefined {
  const mask = low.bits.mask | HIGH_HALF
  const bits = { value: low.bits.value & ~mask, mask }
  if ((one.bits.value ^ bits.value) & ~one.bits.mask & ~bits.mask) return undefined
  return settle({
    ...one,
    bits: tnumIntersect(one.bits, bits),
    min32: Math.max(one.min32, low.min32),
    max32: Math.min(one.max32, low.max32),
    signedMin32: Math.max(one.signedMin32, low.signedMin32),
    signedMax32: Math.min(one.signedMax32, low.signedMax32),
  })
}

function assumeSet(holds: boolean, bits: 32 | 64, a: Scalar, b: Scalar): { a: Scalar; b: Scalar } | undefined {
  const left = bits === 32 ? tnumTruncate(a.bits) : a.bits
  const right = bits === 32 ? tnumTruncate(b.bits) : b.bits
  const common = tnumAnd(left, right)
  if (holds && common.value === 0n && common.mask === 0n) return undefined
  if (!holds && common.value !== 0n) return undefined
  if (!holds && isConstant(b)) {
    const cleared = tnumAnd(a.bits, tnumConstant(MASK64 & ~right.value))
    const narrowed = settle({ ...a, bits: cleared })
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
  const same = settle({
    bits: tnumIntersect(a.bits, b.bits),
    min: higher(a.min, b.min),
    max: lower(a.max, b.max),
    signedMin: higher(a.signedMin, b.signedMin),
    signedMax: lower(a.signedMax, b.signedMax),
    min32: Math.max(a.min32, b.min32),
    max32: Math.min(a.max32, b.max32),
    signedMin32: Math.max(a.signedMin32, b.signedMin32),
    signedMax32: Math.min(a.signedMax32, b.signedMax32),
  })
  return both(same, same)
}

/** A value known not to be `excluded` loses it at either end of its range. */
function without(a: Scalar, excluded: bigint): Scalar | undefined {
  const signed = BigInt.asIntN(64, excluded)
  return settle({
    ...a,
    min: a.min === excluded ? a.min + 1n : a.min,
    max: a.max === excluded ? a.max - 1n : a.max,
    signedMin: a.signedMin === signed ? a.signedMin + 1n : a.signedMin,
    signedMax: a.signedMax === signed ? a.signedMax - 1n : a.signedMax,
  })
}

function clip(a: Scalar, min: bigint, max: bigint): Scalar | undefined {
  return settle({ ...a, min: higher(a.min, min), max: lower(a.max, max) })
}

function clipSigned(a: Scalar, min: bigint, max: bigint): Scalar | undefined {
  return settle({ ...a, signedMin: higher(a.signedMin, min), signedMax: lower(a.signedMax, max) })
}
