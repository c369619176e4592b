import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMap, type EbpfMap, encode, type Instruction, loadEbpf, XdpContext } from '../index.ts'
import type { AluOperation, AtomicOperation, Condition } from './instruction.ts'

/*
 * Every instruction three ways: the interpreter, the compiler, and an oracle in BigInt. Operands and results pass through
 * the one value of a map, so that the verifier knows nothing of them, or only that they fit 32 bits; or they are constants.
 */

const IO = { name: 'io', type: 'array', keyBytes: 4, valueBytes: 64, maxEntries: 1 } as const
const A = 0
const B = 8
const RESULT = 16
const context = new XdpContext(new Uint8Array(64))

type Known = 'nothing' | 'word' | 'constant'

const exit: Instruction[] = [
  { kind: 'move', destination: 0, source: -1, immediate: 2, bits: 64, fromBits: 64 },
  { kind: 'exit' },
]
const io: Instruction = { kind: 'load-map-value', destination: 9, map: 0, offset: 0 }

function loadOperand(destination: number, offset: number, known: Known, value: bigint): Instruction {
  if (known === 'constant')
    return {
      kind: 'load-immediate',
      destination,
      low: Number(BigInt.asIntN(32, value)),
      high: Number(BigInt.asIntN(32, value >> 32n)),
    }
  return { kind: 'load', destination, base: 9, offset, bytes: known === 'word' ? 4 : 8, signed: false }
}

function storeResult(source: number): Instruction {
  return { kind: 'store', base: 9, offset: RESULT, bytes: 8, source, immediate: 0 }
}

/** Both engines over one program; runs give the 64-bit result, and what is at A. */
function engines(
  instructions: readonly Instruction[],
): ((a: bigint, b: bigint) => { result: bigint; memory: bigint })[] {
  const code = encode(instructions)
  return (['compile', 'interpret'] as const).map((engine) => {
    const map: EbpfMap = createMap(IO)
    const program = loadEbpf({ name: 'isa', code, maps: [IO] }, { engine, maps: { io: map } })
    const view = new DataView(map.values.buffer)
    return (a, b) => {
      view.setBigUint64(A, BigInt.asUintN(64, a), true)
      view.setBigUint64(B, BigInt.asUintN(64, b), true)
      view.setBigUint64(RESULT, 0xdeadn, true)
      expect(program.run(context)).toBe(2)
      return { result: view.getBigUint64(RESULT, true), memory: view.getBigUint64(A, true) }
    }
  })
}

const EDGES = [
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
const word64 = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.bigInt({ min: 0n, max: 255n }),
)
const word32 = fc.oneof(
  fc.constantFrom(...EDGES.filter((edge) => edge < 1n << 32n)),
  fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }),
)

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value)

/** RFC 9669 section 4.1 in BigInt, at any width. */
function oracle(operation: AluOperation, bits: number, left: bigint, right: bigint): bigint {
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

const OPERATIONS: AluOperation[] = [
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
const SHIFTS = new Set<AluOperation>(['lsh', 'rsh', 'arsh'])
const DIVIDES = new Set<AluOperation>(['div', 'sdiv', 'mod', 'smod'])

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
          for (const run of both) expect(run(a, b).result).toBe(oracle(operation, bits, a, b))
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
          for (const run of both) expect(run(a, 0n).result).toBe(oracle(operation, bits, a, BigInt(immediate)))
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
    for (const a of EDGES) for (const run of both) expect(run(a, 0n).result).toBe(oracle(operation, bits, a, a))
  })

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

test('arithmetic edges: division of the least number by -1, by zero, 64-bit carries and borrows', () => {
  const least = 1n << 63n
  expect(oracle('sdiv', 64, least, u64(-1n))).toBe(least)
  expect(oracle('smod', 64, least, u64(-1n))).toBe(0n)
  expect(oracle('mod', 32, 0x5_0000_0007n, 0n)).toBe(7n)
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

const CONDITIONS: Condition[] = ['eq', 'gt', 'ge', 'set', 'ne', 'sgt', 'sge', 'lt', 'le', 'slt', 'sle']

function holds(condition: Condition, bits: number, left: bigint, right: bigint): boolean {
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

describe.each([64, 32] as const)('jumps in %i bits', (bits) => {
  test.each(CONDITIONS)('RFC 9669 4.3 %s with a register and with an immediate', (condition) => {
    const compared = (operand: { source: number; immediate: number }, knownA: Known, knownB: Known): Instruction[] => [
      io,
      loadOperand(1, A, knownA, 0n),
      loadOperand(2, B, knownB, 0n),
      { kind: 'move', destination: 3, source: -1, immediate: 1, bits: 64, fromBits: 64 },
      { kind: 'jump', condition, bits, destination: 1, ...operand, target: 7 },
      { kind: 'move', destination: 3, source: -1, immediate: 0, bits: 64, fromBits: 64 },
      storeResult(3),
      ...exit,
    ]
    for (const [knownA, knownB] of [
      ['nothing', 'nothing'],
      ['word', 'word'],
      ['word', 'nothing'],
    ] as const) {
      const both = engines(compared({ source: 2, immediate: 0 }, knownA, knownB))
      for (const edgeA of EDGES) {
        for (const edgeB of EDGES) {
          const a = knownA === 'word' ? BigInt.asUintN(32, edgeA) : edgeA
          const b = knownB === 'word' ? BigInt.asUintN(32, edgeB) : edgeB
          for (const run of both) expect(run(a, b).result).toBe(holds(condition, bits, a, b) ? 1n : 0n)
        }
      }
    }
    for (const immediate of [0, 1, -1, 5, 0x7fffffff, -0x80000000]) {
      for (const known of ['nothing', 'word'] as const) {
        const both = engines(compared({ source: -1, immediate }, known, 'nothing'))
        for (const edge of EDGES) {
          const a = known === 'word' ? BigInt.asUintN(32, edge) : edge
          for (const run of both) expect(run(a, 0n).result).toBe(holds(condition, bits, a, BigInt(immediate)) ? 1n : 0n)
        }
      }
    }
  })
})

describe('memory', () => {
  test.each([1, 2, 4, 8] as const)(
    'loads and stores of %i bytes, on stack and in map values, aligned or not',
    (bytes) => {
      for (const signed of bytes === 8 ? [false] : [false, true]) {
        for (const offset of [-16, -13]) {
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
        const stored = operation === 'xchg' ? BigInt.asUintN(bits, b) : oracle(operation as AluOperation, bits, a, b)
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

describe('whole programs at random', () => {
  const instruction = fc.oneof(
    fc.record({
      kind: fc.constant('alu' as const),
      operation: fc.constantFrom(...OPERATIONS),
      bits: fc.constantFrom(32 as const, 64 as const),
      destination: fc.integer({ min: 0, max: 5 }),
      source: fc.integer({ min: -1, max: 5 }),
      immediate: fc.oneof(fc.integer(), fc.integer({ min: 0, max: 40 })),
    }),
    fc.record({
      kind: fc.constant('jump' as const),
      condition: fc.constantFrom(...CONDITIONS),
      bits: fc.constantFrom(32 as const, 64 as const),
      destination: fc.integer({ min: 0, max: 5 }),
      source: fc.integer({ min: -1, max: 5 }),
      immediate: fc.oneof(fc.integer(), fc.integer({ min: 0, max: 40 })),
      skip: fc.integer({ min: 1, max: 5 }),
    }),
    fc.record({
      kind: fc.constant('move' as const),
      destination: fc.integer({ min: 0, max: 5 }),
      source: fc.integer({ min: 0, max: 5 }),
      immediate: fc.constant(0),
      bits: fc.constant(64 as const),
      fromBits: fc.constantFrom(8 as const, 16 as const, 32 as const, 64 as const),
    }),
  )

  test('the compiler, which relies on what the verifier knows of ranges, agrees with the interpreter, which does not', () => {
    // All registers end up in the result: r0 = ((r0 * 31 + r1) * 31 + r2) ...
    const mix = [1, 2, 3, 4, 5].flatMap((source): Instruction[] => [
      { kind: 'alu', operation: 'mul', bits: 64, destination: 0, source: -1, immediate: 31 },
      { kind: 'alu', operation: 'add', bits: 64, destination: 0, source, immediate: 0 },
    ])
    fc.assert(
      fc.property(
        fc.array(instruction, { minLength: 1, maxLength: 25 }),
        fc.array(fc.tuple(word64, word64), { minLength: 4, maxLength: 4 }),
        (body, inputs) => {
          const start: Instruction[] = [
            io,
            loadOperand(0, A, 'nothing', 0n),
            loadOperand(1, B, 'nothing', 0n),
            loadOperand(2, A, 'word', 0n),
            loadOperand(3, B + 4, 'word', 0n),
            loadOperand(4, 0, 'constant', 5n),
            { kind: 'move', destination: 5, source: -1, immediate: -9, bits: 64, fromBits: 64 },
          ]
          const first = start.length + 2 // Two wide immediates.
          const end = first + body.length
          const instructions = body.map((one, i): Instruction => {
            if (one.kind === 'jump')
              return {
                ...one,
                immediate: one.source < 0 ? one.immediate : 0,
                target: Math.min(first + i + 1 + one.skip, end),
              }
            if (one.kind !== 'alu') return one
            if (one.source >= 0) return { ...one, immediate: 0 }
            const fitting = SHIFTS.has(one.operation)
              ? Math.abs(one.immediate) % one.bits
              : DIVIDES.has(one.operation) && one.immediate === 0
                ? 3
                : one.immediate
            return { ...one, immediate: fitting }
          })
          const [compiled, interpreted] = engines([...start, ...instructions, ...mix, storeResult(0), ...exit])
          for (const [a, b] of inputs) expect(compiled!(a, b)).toEqual(interpreted!(a, b))
        },
      ),
      { numRuns: 250 },
    )
  })
})
