/**
 * Tracked number: what is known of the 64 bits of a value, bit by bit. A bit of `mask` is unknown; where it is clear,
 * `value` has the bit. Unknown bits are zero in `value`. Source: Linux kernel/bpf/tnum.c.
 */
export interface Tnum {
  readonly value: bigint
  readonly mask: bigint
}

export const MASK64 = 0xffff_ffff_ffff_ffffn
export const MASK32 = 0xffff_ffffn
/** Any value. Source: tnum_unknown. */
export const TNUM_UNKNOWN: Tnum = { value: 0n, mask: MASK64 }

/** The low n bits, n from 0 to 64. */
const MASKS: readonly bigint[] = Array.from({ length: 65 }, (_, bits) => (1n << BigInt(bits)) - 1n)

function tnum(value: bigint, mask: bigint): Tnum {
  return { value: value & ~mask & MASK64, mask: mask & MASK64 }
}

/** One value: every bit is known. Source: tnum_const. */
export function tnumConstant(value: bigint): Tnum {
  return { value: value & MASK64, mask: 0n }
}

/** The narrowest tnum that covers all of min .. max (unsigned). */
export function tnumRange(min: bigint, max: bigint): Tnum {
  if (min === max) return { value: min, mask: 0n }
  const differing = min ^ max
  const high = Number(differing >> 32n)
  const bits = high === 0 ? 32 - Math.clz32(Number(differing)) : 64 - Math.clz32(high)
  const mask = MASKS[bits]!
  return { value: min & ~mask, mask }
}

/** Covers every sum; a bit is unknown where a carry may reach it. Source: tnum_add. */
export function tnumAdd(a: Tnum, b: Tnum): Tnum {
  const sum = a.value + b.value
  const changed = (a.mask + b.mask + sum) ^ sum
  return tnum(sum, changed | a.mask | b.mask)
}

/** Covers every difference; a bit is unknown where a borrow may reach it. Source: tnum_sub. */
export function tnumSubtract(a: Tnum, b: Tnum): Tnum {
  const difference = a.value - b.value
  const changed = (difference + a.mask) ^ (difference - b.mask)
  return tnum(difference, changed | a.mask | b.mask)
}

/** Covers `x & y`: a bit that is known to be 0 in either is known. Source: tnum_and. */
export function tnumAnd(a: Tnum, b: Tnum): Tnum {
  const ones = a.value & b.value
  return tnum(ones, (a.value | a.mask) & (b.value | b.mask) & ~ones)
}

/** Covers `x | y`: a bit that is known to be 1 in either is known. Source: tnum_or. */
export function tnumOr(a: Tnum, b: Tnum): Tnum {
  const ones = a.value | b.value
  return tnum(ones, (a.mask | b.mask) & ~ones)
}

/** Covers `x ^ y`: a bit is known where both are. Source: tnum_xor. */
export function tnumXor(a: Tnum, b: Tnum): Tnum {
  return tnum(a.value ^ b.value, a.mask | b.mask)
}

/** Product by the schoolbook: one shifted copy of `b` for each bit of `a` that may be set. */
export function tnumMultiply(a: Tnum, b: Tnum): Tnum {
  let unknown = tnumConstant(0n)
  for (let bit = 0n; a.value >> bit !== 0n || a.mask >> bit !== 0n; bit++) {
    if (((a.value >> bit) & 1n) === 1n) unknown = tnumAdd(unknown, tnum(0n, b.mask << bit))
    else if (((a.mask >> bit) & 1n) === 1n) unknown = tnumAdd(unknown, tnum(0n, (b.value | b.mask) << bit))
  }
  return tnumAdd(tnumConstant(a.value * b.value), unknown)
}

/** By a known number of bits, 0 to 63; zeros come in. Source: tnum_lshift. */
export function tnumShiftLeft(a: Tnum, by: bigint): Tnum {
  return tnum(a.value << by, a.mask << by)
}

/** By a known number of bits, 0 to 63; zeros come in. Source: tnum_rshift. */
export function tnumShiftRight(a: Tnum, by: bigint): Tnum {
  return tnum(a.value >> by, a.mask >> by)
}

/** Copies of the sign bit come in from the left, unknown if it is. */
export function tnumShiftRightSigned(a: Tnum, by: bigint): Tnum {
  return tnum(BigInt.asIntN(64, a.value) >> by, BigInt.asIntN(64, a.mask) >> by)
}

/** The low 32 bits, zero-extended. */
export function tnumTruncate(a: Tnum): Tnum {
  return tnum(a.value & MASK32, a.mask & MASK32)
}

/** What is known from both. */
export function tnumIntersect(a: Tnum, b: Tnum): Tnum {
  const mask = a.mask & b.mask
  return tnum(a.value | b.value, mask)
}

/** Every value of `b` is one of `a`. */
export function tnumCovers(a: Tnum, b: Tnum): boolean {
  return (b.mask & ~a.mask) === 0n && (b.value & ~a.mask) === a.value
}
