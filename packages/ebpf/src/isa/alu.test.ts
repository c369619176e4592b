import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { A, B, engines, exit, io, type Known, loadOperand, storeResult } from '../../test/both-engines.ts'
import { computed, DIVIDES, EDGES, OPERATIONS, SHIFTS, word32, word64 } from '../../test/oracle.ts'

test('the oracle divides as RFC 9669 4.1 says: by zero, and the least number by -1', () => {
  const least = 1n << 63n
  expect(computed('sdiv', 64, least, 0xffffffff_ffffffffn)).toBe(least)
  expect(computed('smod', 64, least, 0xffffffff_ffffffffn)).toBe(0n)
  expect(computed('div', 64, 7n, 0n)).toBe(0n)
  expect(computed('mod', 32, 0x5_0000_0007n, 0n)).toBe(7n)
})

describe.each([64, 32] as const)('arithmetic in %i bits', (bits) => {
  test.each(OPERATIONS)('RFC 9669 4.1 %s with a register', (operation) => {
    for (const [knownA, knownB] of [
      ['nothing', 'nothing'],
      ['word', 'word'],
      ['nothing', 'word'],
      ['word', 'nothing'],
    ] as const) {
      const both = engines([
        io,
        loadOperand(1, A, knownA, 0n),
        loadOperand(2, B, knownB, 0n),
        { kind: 'alu', operation, bits, destination: 1, source: 2, immediate: 0 },
        storeResult(1),
        ...exit,
      ])
      const values = (known: Known): typeof word64 => (known === 'word' ? word32 : word64)
      fc.assert(
        fc.property(values(knownA), values(knownB), (a, b) => {
          for (const run of both) expect(run(a, b).result).toBe(computed(operation, bits, a, b))
        }),
        { numRuns: 80 },
      )
    }
  })

  test.each(OPERATIONS)('RFC 9669 4.1 %s with an immediate, of unknown, small and constant operands', (operation) => {
    const immediates = SHIFTS.has(operation)
      ? fc.integer({ min: 0, max: bits - 1 })
      : fc
          .oneof(fc.constantFrom(1, -1, 2, 8, 0x7fffffff, -0x80000000), fc.integer())
          .filter((n) => n !== 0 || !DIVIDES.has(operation))
    fc.assert(
      fc.property(
        word64,
        immediates,
        fc.constantFrom<Known>('nothing', 'word', 'constant'),
        (value, immediate, known) => {
          const a = known === 'word' ? BigInt.asUintN(32, value) : value
          const both = engines([
            io,
            loadOperand(1, A, known, a),
            { kind: 'alu', operation, bits, destination: 1, source: -1, immediate },
            storeResult(1),
            ...exit,
          ])
          for (const run of both) expect(run(a, 0n).result).toBe(computed(operation, bits, a, BigInt(immediate)))
        },
      ),
      { numRuns: 60 },
    )
  })

  test.each(OPERATIONS)('RFC 9669 4.1 %s of a register with itself', (operation) => {
    const both = engines([
      io,
      loadOperand(1, A, 'nothing', 0n),
      { kind: 'alu', operation, bits, destination: 1, source: 1, immediate: 0 },
      storeResult(1),
      ...exit,
    ])
    for (const a of EDGES) for (const run of both) expect(run(a, 0n).result).toBe(computed(operation, bits, a, a))
  })

  test.each([...DIVIDES])(
    'RFC 9669 4.1 %s of every pair of edges: by zero, and the least number by -1',
    (operation) => {
      const both = engines([
        io,
        loadOperand(1, A, 'nothing', 0n),
        loadOperand(2, B, 'nothing', 0n),
        { kind: 'alu', operation, bits, destination: 1, source: 2, immediate: 0 },
        storeResult(1),
        ...exit,
      ])
      for (const a of EDGES)
        for (const b of EDGES) for (const run of both) expect(run(a, b).result).toBe(computed(operation, bits, a, b))
    },
  )

  test('negation', () => {
    for (const known of ['nothing', 'word'] as const) {
      const both = engines([
        io,
        loadOperand(1, A, known, 0n),
        { kind: 'negate', destination: 1, bits },
        storeResult(1),
        ...exit,
      ])
      for (const a of EDGES.map((edge) => (known === 'word' ? BigInt.asUintN(32, edge) : edge)))
        for (const run of both) expect(run(a, 0n).result).toBe(BigInt.asUintN(bits, -a))
    }
  })

  test('moves: whole, immediate, and sign-extended from fewer bits (movsx)', () => {
    for (const fromBits of [8, 16, 32, 64] as const) {
      if (fromBits > bits) continue
      const both = engines([
        io,
        loadOperand(1, A, 'nothing', 0n),
        { kind: 'move', destination: 2, source: 1, immediate: 0, bits, fromBits },
        storeResult(2),
        ...exit,
      ])
      for (const a of EDGES)
        for (const run of both) expect(run(a, 0n).result).toBe(BigInt.asUintN(bits, BigInt.asIntN(fromBits, a)))
    }
    for (const immediate of [0, 1, -1, 0x7fffffff, -0x80000000]) {
      const both = engines([
        io,
        { kind: 'move', destination: 2, source: -1, immediate, bits, fromBits: bits },
        storeResult(2),
        ...exit,
      ])
      for (const run of both) expect(run(0n, 0n).result).toBe(BigInt.asUintN(bits, BigInt(immediate)))
    }
  })
})

describe('byte order', () => {
  test.each([
    ['le', 16],
    ['le', 32],
    ['le', 64],
    ['be', 16],
    ['be', 32],
    ['be', 64],
    ['swap', 16],
    ['swap', 32],
    ['swap', 64],
  ] as const)('%s%i', (order, bits) => {
    const both = engines([
      io,
      loadOperand(1, A, 'nothing', 0n),
      { kind: 'swap', destination: 1, order, bits },
      storeResult(1),
      ...exit,
    ])
    fc.assert(
      fc.property(word64, (a) => {
        const bytes = Array.from({ length: bits / 8 }, (_, i) => (a >> BigInt(8 * i)) & 0xffn)
        if (order !== 'le') bytes.reverse()
        const expected = bytes.reduce((sum, byte, i) => sum | (byte << BigInt(8 * i)), 0n)
        for (const run of both) expect(run(a, 0n).result).toBe(expected)
      }),
      { numRuns: 100 },
    )
  })
})
