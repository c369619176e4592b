import {
  MASK32,
  MASK64,
  TNUM_UNKNOWN,
  type Tnum,
  tnumAnd,
  tnumConstant,
  tnumCovers,
  tnumIntersect,
  tnumRange,
  tnumTruncate,
} from './tnum.ts'

/**
 * What the verifier knows of a number: its bits, and its bounds as an unsigned and as a signed 64-bit number. Also
 * those of its low half as 32-bit numbers. Immutable.
 * Source: Linux kernel/bpf/verifier.c, struct bpf_reg_state.
 */
export interface Scalar {
  readonly bits: Tnum
  readonly min: bigint
  readonly max: bigint
  readonly signedMin: bigint
  readonly signedMax: bigint
  readonly min32: number
  readonly max32: number
  readonly signedMin32: number
  readonly signedMax32: number
}

export const S64_MIN: bigint = -(1n << 63n)
export const S64_MAX: bigint = (1n << 63n) - 1n
export const U32_MAX = 0xffff_ffff
export const S32_MIN: number = -0x8000_0000
export const S32_MAX = 0x7fff_ffff
const S32_MIN_WIDE = BigInt(S32_MIN)
const S32_MAX_WIDE = BigInt(S32_MAX)
const HIGH_HALF = MASK64 & ~MASK32

/** Any 64-bit number. */
export const UNKNOWN: Scalar = {
  bits: TNUM_UNKNOWN,
  min: 0n,
  max: MASK64,
  signedMin: S64_MIN,
  signedMax: S64_MAX,
  min32: 0,
  max32: U32_MAX,
  signedMin32: S32_MIN,
  signedMax32: S32_MAX,
}

/** One number; `value` may be given signed or unsigned. */
export function constant(value: bigint): Scalar {
  const unsigned = BigInt.asUintN(64, value)
  const signed = BigInt.asIntN(64, value)
  const low = Number(BigInt.asIntN(32, value))
  return {
    bits: tnumConstant(unsigned),
    min: unsigned,
    max: unsigned,
    signedMin: signed,
    signedMax: signed,
    min32: low >>> 0,
    max32: low >>> 0,
    signedMin32: low,
    signedMax32: low,
  }
}

/** Any unsigned 32-bit number. */
export const MASK32_NUMBER: Scalar = {
  ...UNKNOWN,
  bits: { value: 0n, mask: MASK32 },
  max: MASK32,
  signedMin: 0n,
  signedMax: MASK32,
}

/** Any number from 0 to `max`. */
export function upTo(max: bigint): Scalar {
  return settled({ ...UNKNOWN, bits: tnumRange(0n, max), max })
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
    a === b ||
    a === UNKNOWN ||
    (a.min32 <= b.min32 &&
      a.max32 >= b.max32 &&
      a.signedMin32 <= b.signedMin32 &&
      a.signedMax32 >= b.signedMax32 &&
      a.min <= b.min &&
      a.max >= b.max &&
      a.signedMin <= b.signedMin &&
      a.signedMax >= b.signedMax &&
      tnumCovers(a.bits, b.bits))
  )
}

export function lower(a: bigint, b: bigint): bigint {
  if (a < b) return a
  return b
}

export function higher(a: bigint, b: bigint): bigint {
  if (a > b) return a
  return b
}

/**
 * Lets bits and bounds, of the whole number and of its low half, narrow one another.
 * Source: Linux kernel/bpf/verifier.c, reg_bounds_sync.
 *
 * @returns undefined if nothing is left: the state can't happen
 */
export function settle(known: Scalar): Scalar | undefined {
  let { bits, min, max, signedMin, signedMax, min32, max32, signedMin32, signedMax32 } = known
  for (let pass = 0; pass < 2; pass++) {
    min = higher(min, bits.value)
    max = lower(max, bits.value | bits.mask)
    // Unsigned bounds on one side of the sign boundary are signed bounds, and the other way round.
    if (max <= S64_MAX || min > S64_MAX) {
      signedMin = higher(signedMin, BigInt.asIntN(64, min))
      signedMax = lower(signedMax, BigInt.asIntN(64, max))
    }
    if (signedMin >= 0n || signedMax < 0n) {
      min = higher(min, BigInt.asUintN(64, signedMin))
      max = lower(max, BigInt.asUintN(64, signedMax))
    }
    const lowValue = Number(bits.value & MASK32)
    min32 = Math.max(min32, lowValue)
    max32 = Math.min(max32, lowValue + Number(bits.mask & MASK32))
    // One high half: low halves are ordered as the whole numbers are.
    if (min >> 32n === max >> 32n) {
      min32 = Math.max(min32, Number(min & MASK32))
      max32 = Math.min(max32, Number(max & MASK32))
    }
    if (signedMin >> 32n === signedMax >> 32n) {
      min32 = Math.max(min32, Number(BigInt.asUintN(32, signedMin)))
      max32 = Math.min(max32, Number(BigInt.asUintN(32, signedMax)))
    }
    const isSignedWord = signedMin >= S32_MIN_WIDE && signedMax <= S32_MAX_WIDE
    if (isSignedWord) {
      signedMin32 = Math.max(signedMin32, Number(signedMin))
      signedMax32 = Math.min(signedMax32, Number(signedMax))
    }
    if (max32 <= S32_MAX || min32 > S32_MAX) {
      signedMin32 = Math.max(signedMin32, min32 | 0)
      signedMax32 = Math.min(signedMax32, max32 | 0)
    }
    if (signedMin32 >= 0 || signedMax32 < 0) {
      min32 = Math.max(min32, signedMin32 >>> 0)
      max32 = Math.min(max32, signedMax32 >>> 0)
    }
    if (min32 > max32 || signedMin32 > signedMax32) return undefined
    if (min32 !== 0 || max32 !== U32_MAX) {
      // A number with the least high half has at least the least low half; one with a greater high half is greater.
      min = higher(min, (min & HIGH_HALF) | BigInt(min32))
      max = lower(max, (max & HIGH_HALF) | BigInt(max32))
      signedMin = higher(signedMin, ((signedMin >> 32n) << 32n) + BigInt(min32))
      signedMax = lower(signedMax, ((signedMax >> 32n) << 32n) + BigInt(max32))
    }
    if (isSignedWord) {
      signedMin = higher(signedMin, BigInt(signedMin32))
      signedMax = lower(signedMax, BigInt(signedMax32))
    }
    if (min > max || signedMin > signedMax) return undefined
    const ranged = rangedBits(min, max, min32, max32)
    if (ranged === undefined || (bits.value ^ ranged.value) & ~bits.mask & ~ranged.mask) return undefined
    bits = tnumIntersect(bits, ranged)
  }
  return { bits, min, max, signedMin, signedMax, min32, max32, signedMin32, signedMax32 }
}

/**
 * What an operation leaves. Bounds that are kept apart hide for some instructions that a state can't happen; when it shows,
 * everything is possible of it, which is sound.
 */
export function settled(known: Scalar): Scalar {
  return settle(known) ?? UNKNOWN
}

/** The bits that two ranges leave open: of the whole number, and of its low half. */
function rangedBits(min: bigint, max: bigint, min32: number, max32: number): Tnum | undefined {
  const whole = tnumRange(min, max)
  if (min32 === 0 && max32 === U32_MAX) return whole
  const low = tnumRange(BigInt(min32), BigInt(max32))
  const half = { value: low.value, mask: low.mask | HIGH_HALF }
  if ((whole.value ^ half.value) & ~whole.mask & ~half.mask) return undefined
  return tnumIntersect(whole, half)
}

export function fromBits(bits: Tnum): Scalar {
  return settled({ ...UNKNOWN, bits })
}

/** The low 32 bits, zero-extended: what a 32-bit operation leaves. */
export function truncate(one: Scalar): Scalar {
  if (fitsWord(one)) return one
  return settled({
    bits: tnumTruncate(one.bits),
    min: BigInt(one.min32),
    max: BigInt(one.max32),
    signedMin: BigInt(one.min32),
    signedMax: BigInt(one.max32),
    min32: one.min32,
    max32: one.max32,
    signedMin32: one.signedMin32,
    signedMax32: one.signedMax32,
  })
}

/** The low `bits`, sign-extended to 64. */
export function signExtend(one: Scalar, bits: number): Scalar {
  if (isConstant(one)) return constant(BigInt.asIntN(bits, one.bits.value))
  const limit = 1n << BigInt(bits - 1)
  if (one.signedMin >= -limit && one.signedMax < limit) return one
  if (bits === 32)
    return settled({
      ...UNKNOWN,
      signedMin: BigInt(one.signedMin32),
      signedMax: BigInt(one.signedMax32),
      min32: one.min32,
      max32: one.max32,
      signedMin32: one.signedMin32,
      signedMax32: one.signedMax32,
    })
  return settled({ ...UNKNOWN, signedMin: -limit, signedMax: limit - 1n })
}

/** The low `bits`, zero-extended. */
export function lowBits(one: Scalar, bits: number): Scalar {
  if (bits === 32) return truncate(one)
  const limit = (1n << BigInt(bits)) - 1n
  return one.max <= limit ? one : fromBits(tnumAnd(one.bits, tnumConstant(limit)))
}
