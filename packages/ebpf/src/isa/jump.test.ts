import { describe, expect, test } from 'vitest'
import { A, B, engines, exit, io, type Known, loadOperand, storeResult } from '../../test/both-engines.ts'
import { CONDITIONS, EDGES, holds } from '../../test/oracle.ts'
import type { Instruction } from './instruction.ts'

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
