import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CONDITIONS, OPERATIONS } from '../../test/oracle.ts'
import { alu32, alu64, compare, compare32 } from '../isa/arithmetic.ts'
import type { AluOperation, Condition } from '../isa/instruction.ts'
import { high } from '../isa/wide.ts'
import { constant, isConstant, lowBits, type Scalar, scalarCovers, signExtend, truncate, UNKNOWN } from './scalar.ts'
import { assume } from './scalar-assume.ts'
import { compute } from './scalar-compute.ts'

/*
 * Soundness: whatever the machine computes from values that two scalars allow, the computed scalar allows. The machine is
 * the interpreter's own arithmetic.
 */

const low = (value: bigint): number => Number(BigInt.asIntN(32, value))
const top = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n))
const join = (lowHalf: number, topHalf: number): bigint => (BigInt(topHalf >>> 0) << 32n) | BigInt(lowHalf >>> 0)

const word = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.bigInt({ min: 0n, max: 300n }),
  fc.bigInt({ min: (1n << 64n) - 300n, max: (1n << 64n) - 1n }),
  fc.constantFrom(0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n, (1n << 63n) - 1n, 1n << 63n),
)

/** A scalar made as the verifier makes them, by what a program could learn of a value, and the value itself. */
const known = fc
  .tuple(
    word,
    fc.array(
      fc.record({
        condition: fc.constantFrom(...CONDITIONS),
        bits: fc.constantFrom(32 as const, 64 as const),
        bound: word,
      }),
      { maxLength: 4 },
    ),
    fc.constantFrom('any', 'constant', 'byte', 'word', 'masked'),
    word,
  )
  .map(([value, facts, kind, mask]) => {
    const held =
      kind === 'byte'
        ? value & 0xffn
        : kind === 'word'
          ? value & 0xffff_ffffn
          : kind === 'masked'
            ? value & mask
            : value
    let scalar: Scalar =
      kind === 'constant'
        ? constant(held)
        : kind === 'byte'
          ? lowBits(UNKNOWN, 8)
          : kind === 'word'
            ? truncate(UNKNOWN)
            : kind === 'masked'
              ? compute('and', 64, UNKNOWN, constant(mask))
              : UNKNOWN
    for (const { condition, bits, bound } of facts)
      scalar = assume(condition, holds(condition, bits, held, bound), bits, scalar, constant(bound))!.a
    return { value: held, scalar }
  })

function holds(condition: Condition, bits: 32 | 64, a: bigint, b: bigint): boolean {
  return bits === 32 ? compare32(condition, low(a), low(b)) : compare(condition, low(a), top(a), low(b), top(b))
}

function machine(operation: AluOperation, bits: 32 | 64, a: bigint, b: bigint): bigint {
  if (bits === 32) return join(alu32(operation, low(a), low(b)), 0)
  const lowHalf = alu64(operation, low(a), top(a), low(b), top(b))
  return join(lowHalf, high[0]!)
}

function expectAllows(scalar: Scalar, value: bigint): void {
  expect(scalarCovers(scalar, constant(value)), `${value} in [${scalar.min}, ${scalar.max}]`).toBe(true)
}

describe('what the verifier knows of numbers never excludes what they are', () => {
  test('facts learned from comparisons', () => {
    fc.assert(
      fc.property(known, ({ value, scalar }) => expectAllows(scalar, value)),
      { numRuns: 1000 },
    )
  })

  test.each(OPERATIONS)('%s in 32 and 64 bits', (operation) => {
    fc.assert(
      fc.property(known, known, fc.constantFrom(32 as const, 64 as const), (a, b, bits) => {
        expectAllows(compute(operation, bits, a.scalar, b.scalar), machine(operation, bits, a.value, b.value))
      }),
      { numRuns: 500 },
    )
  })

  test.each(CONDITIONS)('both operands of %s, whether it holds or not', (condition) => {
    fc.assert(
      fc.property(known, known, fc.constantFrom(32 as const, 64 as const), (a, b, bits) => {
        const learned = assume(condition, holds(condition, bits, a.value, b.value), bits, a.scalar, b.scalar)
        expect(learned).toBeDefined()
        expectAllows(learned!.a, a.value)
        expectAllows(learned!.b, b.value)
      }),
      { numRuns: 500 },
    )
  })

  test('sign extension and truncation', () => {
    fc.assert(
      fc.property(known, fc.constantFrom(8, 16, 32), ({ value, scalar }, bits) => {
        expectAllows(signExtend(scalar, bits), BigInt.asUintN(64, BigInt.asIntN(bits, value)))
        expectAllows(lowBits(scalar, bits), BigInt.asUintN(bits, value))
        expectAllows(truncate(scalar), BigInt.asUintN(32, value))
      }),
      { numRuns: 500 },
    )
  })
})

describe('what the verifier knows is worth something', () => {
  test('a masked number is bounded by its mask, a shifted one by its shift', () => {
    const masked = compute('and', 64, UNKNOWN, constant(0x3cn))
    expect([masked.min, masked.max]).toEqual([0n, 0x3cn])
    expect(compute('lsh', 64, lowBits(UNKNOWN, 4), constant(2n)).max).toBe(60n)
    expect(compute('rsh', 64, UNKNOWN, constant(60n)).max).toBe(15n)
    expect(compute('add', 32, lowBits(UNKNOWN, 8), constant(1n)).max).toBe(256n)
    expect(compute('mod', 64, UNKNOWN, constant(10n)).max).toBe(9n)
  })

  test('operations on constants give constants', () => {
    for (const operation of OPERATIONS.filter((one) => one !== 'div' && one !== 'mod'))
      expect(isConstant(compute(operation, 64, constant(77n), constant(5n)))).toBe(true)
  })

  test('an impossible comparison is known to be one', () => {
    expect(assume('gt', true, 64, lowBits(UNKNOWN, 8), constant(255n))).toBeUndefined()
    expect(assume('eq', true, 64, constant(4n), constant(5n))).toBeUndefined()
    expect(assume('slt', true, 64, lowBits(UNKNOWN, 8), constant(0n))).toBeUndefined()
    expect(assume('set', true, 64, constant(8n), constant(7n))).toBeUndefined()
  })
})
