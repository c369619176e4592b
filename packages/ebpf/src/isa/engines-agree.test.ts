import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { A, B, engines, exit, io, loadOperand, storeResult } from '../../test/both-engines.ts'
import { CONDITIONS, DIVIDES, OPERATIONS, SHIFTS, word64 } from '../../test/oracle.ts'
import type { Instruction } from './instruction.ts'

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
