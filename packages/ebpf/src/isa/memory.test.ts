import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { A, B, engines, exit, io, loadOperand, RESULT, storeResult } from '../../test/both-engines.ts'
import { computed, EDGES, word64 } from '../../test/oracle.ts'
import type { AluOperation, AtomicOperation } from './instruction.ts'

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value)

describe('memory', () => {
  test.each([1, 2, 4, 8] as const)(
    'loads and stores of %i bytes, on the stack, and in map values aligned or not',
    (bytes) => {
      for (const signed of bytes === 8 ? [false] : [false, true]) {
        for (const offset of [-16, -16 + bytes]) {
          const both = engines([
            io,
            loadOperand(1, A, 'nothing', 0n),
            { kind: 'store', base: 10, offset, bytes, source: 1, immediate: 0 },
            { kind: 'load', destination: 2, base: 10, offset, bytes, signed },
            { kind: 'store', base: 9, offset: B + 1, bytes, source: 2, immediate: 0 },
            { kind: 'load', destination: 3, base: 9, offset: B + 1, bytes, signed },
            storeResult(3),
            ...exit,
          ])
          const bits = bytes * 8
          for (const a of EDGES)
            for (const run of both)
              expect(run(a, 0n).result).toBe(u64(signed ? BigInt.asIntN(bits, a) : BigInt.asUintN(bits, a)))
        }
      }
    },
  )

  test.each([1, 2, 4, 8] as const)('an immediate of %i bytes is sign-extended and cut', (bytes) => {
    const both = engines([
      io,
      { kind: 'store', base: 9, offset: RESULT, bytes: 8, source: -1, immediate: 0 },
      { kind: 'store', base: 9, offset: RESULT, bytes, source: -1, immediate: -2 },
      ...exit,
    ])
    for (const run of both) expect(run(0n, 0n).result).toBe(BigInt.asUintN(bytes * 8, -2n))
  })
})

describe.each([4, 8] as const)('atomics of %i bytes', (bytes) => {
  const bits = bytes * 8
  test.each([
    ['add', false],
    ['add', true],
    ['or', false],
    ['or', true],
    ['and', false],
    ['and', true],
    ['xor', false],
    ['xor', true],
    ['xchg', true],
  ] as [AtomicOperation, boolean][])('RFC 9669 5.3 %s, fetch %s', (operation, fetch) => {
    const both = engines([
      io,
      loadOperand(2, B, 'nothing', 0n),
      { kind: 'atomic', operation, fetch, base: 9, offset: A, bytes, source: 2 },
      storeResult(2),
      ...exit,
    ])
    fc.assert(
      fc.property(word64, word64, (a, b) => {
        const stored = operation === 'xchg' ? BigInt.asUintN(bits, b) : computed(operation as AluOperation, bits, a, b)
        const memory = bytes === 8 ? stored : (a & ~0xffffffffn) | stored
        for (const run of both) expect(run(a, b)).toEqual({ result: fetch ? BigInt.asUintN(bits, a) : b, memory })
      }),
      { numRuns: 100 },
    )
  })

  test('RFC 9669 5.3 cmpxchg compares with r0, stores on equality, and fetches to r0', () => {
    const both = engines([
      io,
      loadOperand(0, B, 'nothing', 0n),
      { kind: 'move', destination: 2, source: -1, immediate: -3, bits: 64, fromBits: 64 },
      { kind: 'atomic', operation: 'cmpxchg', fetch: true, base: 9, offset: A, bytes, source: 2 },
      storeResult(0),
      ...exit,
    ])
    for (const a of EDGES) {
      for (const b of [a, ...EDGES.slice(0, 4)]) {
        const equal = BigInt.asUintN(bits, a) === BigInt.asUintN(bits, b)
        const stored = BigInt.asUintN(bits, -3n)
        const memory = !equal ? a : bytes === 8 ? stored : (a & ~0xffffffffn) | stored
        for (const run of both) expect(run(a, b)).toEqual({ result: BigInt.asUintN(bits, a), memory })
      }
    }
  })
})
