import { expect } from 'vitest'
import { EbpfError, encode, type Instruction, type ObjectMap } from '../src/index.ts'
import { loadPacketProgram, PacketContext } from './packet-type.ts'

/* Programs of a few instructions, written down like assembler, for tests of the verifier. */

/** Maps of these programs, by number. */
const MAPS: ObjectMap[] = [
  { name: 'array', type: 'array', keyBytes: 4, valueBytes: 16, maxEntries: 4 },
  { name: 'devices', type: 'devmap', keyBytes: 4, valueBytes: 4, maxEntries: 4 },
  { name: 'constants', type: 'array', keyBytes: 4, valueBytes: 8, maxEntries: 1, readOnly: true },
  { name: 'sockets', type: 'xskmap', keyBytes: 4, valueBytes: 4, maxEntries: 4 },
  { name: 'configuration', type: 'array', keyBytes: 4, valueBytes: 8, maxEntries: 1, readOnly: true },
]

export const mov = (destination: number, immediate: number): Instruction => ({
  kind: 'move',
  destination,
  source: -1,
  immediate,
  bits: 64,
  fromBits: 64,
})
export const copy = (destination: number, source: number): Instruction => ({
  kind: 'move',
  destination,
  source,
  immediate: 0,
  bits: 64,
  fromBits: 64,
})
export const addImmediate = (destination: number, immediate: number): Instruction => ({
  kind: 'alu',
  operation: 'add',
  bits: 64,
  destination,
  source: -1,
  immediate,
})
export const add = (destination: number, source: number): Instruction => ({
  kind: 'alu',
  operation: 'add',
  bits: 64,
  destination,
  source,
  immediate: 0,
})
export const load = (destination: number, base: number, offset: number, bytes: 1 | 2 | 4 | 8 = 4): Instruction => ({
  kind: 'load',
  destination,
  base,
  offset,
  bytes,
  signed: false,
})
export const store = (base: number, offset: number, source: number, bytes: 1 | 2 | 4 | 8 = 8): Instruction => ({
  kind: 'store',
  base,
  offset,
  bytes,
  source,
  immediate: 0,
})
export const put = (base: number, offset: number, immediate: number, bytes: 1 | 2 | 4 | 8 = 8): Instruction => ({
  kind: 'store',
  base,
  offset,
  bytes,
  source: -1,
  immediate,
})
export const jump = (
  condition: 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le' | 'sgt',
  destination: number,
  source: number,
  target: number,
): Instruction => ({ kind: 'jump', condition, bits: 64, destination, source, immediate: 0, target })
export const jumpImmediate = (
  condition: 'eq' | 'ne' | 'gt' | 'lt' | 'sgt',
  destination: number,
  immediate: number,
  target: number,
): Instruction => ({ kind: 'jump', condition, bits: 64, destination, source: -1, immediate, target })
export const map = (destination: number, number: number): Instruction => ({
  kind: 'load-map',
  destination,
  map: number,
})
export const call = (helper: number): Instruction => ({ kind: 'call', helper })
export const exit: Instruction = { kind: 'exit' }
/** r2 = data, r3 = data_end */
export const packet: readonly Instruction[] = [load(2, 1, 0), load(3, 1, 4)]
/** r0 = lookup(map, key 0) */
export const lookup = (number: number, key = -4): Instruction[] => [
  put(10, key, 0, 4),
  copy(2, 10),
  addImmediate(2, key),
  map(1, number),
  call(1),
]

/** Loads a program in both engines, runs it on a frame, and gives the verdict on which they agree. */
export function run(instructions: readonly Instruction[], frame = new Uint8Array(64)): number {
  const code = encode(instructions)
  const verdicts = (['compile', 'interpret'] as const).map((engine) => {
    const context = new PacketContext(frame.slice())
    return loadPacketProgram({ name: 'test', code, maps: MAPS }, { engine }).run(context)
  })
  expect(verdicts[0]).toBe(verdicts[1])
  return verdicts[0]!
}

/** Why a program is refused. */
export function refusal(instructions: readonly Instruction[]): EbpfError {
  try {
    run(instructions)
  } catch (error) {
    if (error instanceof EbpfError) return error
    throw error
  }
  throw new Error('the program was accepted')
}
