import { expect } from 'vitest'
import { createMap, type EbpfMap, encode, type Instruction } from '../src/index.ts'
import { loadPacketProgram, PacketContext } from './packet-type.ts'

/*
 * Instructions are tested three ways: interpreted, compiled, and by the oracle of oracle.ts. Operands and results pass
 * through the one value of a map, so that the verifier knows nothing of them, or only that they fit 32 bits; or they are
 * constants.
 */

const IO = { name: 'io', type: 'array', keyBytes: 4, valueBytes: 64, maxEntries: 1 } as const
/** Offsets in the map's value. */
export const A = 0
export const B = 8
export const RESULT = 16

const context = new PacketContext(new Uint8Array(64))

/** What the verifier may know of an operand. */
export type Known = 'nothing' | 'word' | 'constant'

/** Points r9 to the map's value. */
export const io: Instruction = { kind: 'load-map-value', destination: 9, map: 0, offset: 0 }

export const exit: readonly Instruction[] = [
  { kind: 'move', destination: 0, source: -1, immediate: 2, bits: 64, fromBits: 64 },
  { kind: 'exit' },
]

/** Loads the operand at an offset, or the constant `value`. */
export function loadOperand(destination: number, offset: number, known: Known, value: bigint): Instruction {
  if (known === 'constant')
    return {
      kind: 'load-immediate',
      destination,
      low: Number(BigInt.asIntN(32, value)),
      high: Number(BigInt.asIntN(32, value >> 32n)),
    }
  return { kind: 'load', destination, base: 9, offset, bytes: known === 'word' ? 4 : 8, signed: false }
}

export function storeResult(source: number): Instruction {
  return { kind: 'store', base: 9, offset: RESULT, bytes: 8, source, immediate: 0 }
}

/** Both engines over one program; runs give the 64-bit result, and what is at A. */
export function engines(
  instructions: readonly Instruction[],
): ((a: bigint, b: bigint) => { result: bigint; memory: bigint })[] {
  const code = encode(instructions)
  return (['compile', 'interpret'] as const).map((engine) => {
    const map: EbpfMap = createMap(IO)
    const program = loadPacketProgram({ name: 'isa', code, maps: [IO] }, { engine, maps: { io: map } })
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
