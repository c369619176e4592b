import { describe, expect, test } from 'vitest'
import { loadPacketProgram, PACKET_TYPE, PacketContext } from '../../test/packet-type.ts'
import { addImmediate, copy, exit, jumpImmediate, load, lookup, mov, put, store } from '../../test/programs.ts'
import { runAtOnce } from '../give-way.ts'
import { createMap, decode, encode, type Instruction, Machine, type ObjectMap } from '../index.ts'
import { verify } from '../verifier/verifier.ts'
import { programTexts } from './program-text.ts'

const MAP: ObjectMap = { name: 'values', type: 'array', keyBytes: 4, valueBytes: 8, maxEntries: 16 }
/** The comparison of a key with the array's entries, as it is generated. */
const COMPARISON = '>>>0<16'
const NULL_CHECK = 'h0===0'

function textOf(instructions: readonly Instruction[]): string {
  const program = decode(encode(instructions), 1)
  const maps = [createMap(MAP)]
  const verified = runAtOnce(verify(PACKET_TYPE, program, maps))
  return runAtOnce(programTexts(PACKET_TYPE, program, verified, new Machine(maps))).join('\n')
}

/** r0 of both engines; every value holds its key plus 1. */
function run(instructions: readonly Instruction[], mark: number): number {
  const results = (['compile', 'interpret'] as const).map((engine) => {
    const map = createMap(MAP)
    const view = new DataView(map.values.buffer, map.values.byteOffset)
    for (let key = 0; key < MAP.maxEntries; key++) view.setBigUint64(8 * key, BigInt(key + 1), true)
    const code = encode(instructions)
    const program = loadPacketProgram({ name: 'p', code, maps: [MAP] }, { engine, maps: { values: map } })
    const context = new PacketContext(new Uint8Array(64))
    context.mark = mark
    return program.run(context)
  })
  expect(results[0]).toBe(results[1])
  return results[0]!
}

const and = (destination: number, immediate: number): Instruction => ({
  kind: 'alu',
  operation: 'and',
  bits: 64,
  destination,
  source: -1,
  immediate,
})
const divide = (bits: 32 | 64, operation: 'div' | 'mod'): Instruction => ({
  kind: 'alu',
  operation,
  bits,
  destination: 0,
  source: 3,
  immediate: 0,
})

/** r0 = value of the key that `mark & mask` is, at `at` of the stack; 0 where there is none. */
const byMark = (mask: number, at: number): Instruction[] => [
  load(3, 1, 12, 4),
  and(3, mask),
  store(10, at, 3, 4),
  ...lookup(0, at).slice(1),
  jumpImmediate('ne', 0, 0, 11),
  mov(0, 0),
  exit,
  load(0, 0, 0, 8),
  exit,
]

describe('a check that was proved is left out of compiled code', () => {
  test('a key that is known: neither compared nor, as in Linux from 6.14 on, to be compared with null', () => {
    const program = [...lookup(0), load(0, 0, 0, 8), exit]
    expect(textOf(program)).not.toContain(COMPARISON)
    expect(run(program, 0)).toBe(1)
  })

  test.each([-4, -8])('a key whose range is in the bounds, at %i: neither compared, nor null', (at) => {
    const program = byMark(15, at)
    expect(textOf(program)).not.toContain(COMPARISON)
    expect(textOf(program)).not.toContain(NULL_CHECK)
    for (const mark of [0, 9, 15, 31]) expect(run(program, mark)).toBe((mark & 15) + 1)
  })

  test('one whose range is not: both', () => {
    const program = byMark(31, -4)
    expect(textOf(program)).toContain(COMPARISON)
    for (const mark of [0, 15, 16, 31]) expect(run(program, mark)).toBe(mark < 16 ? mark + 1 : 0)
  })

  test('one that was written over after it was known: both', () => {
    const program: Instruction[] = [
      load(3, 1, 12, 4),
      put(10, -4, 0, 4),
      store(10, -4, 3, 1),
      ...lookup(0).slice(1),
      jumpImmediate('ne', 0, 0, 11),
      mov(0, 0),
      exit,
      load(0, 0, 0, 8),
      exit,
    ]
    expect(textOf(program)).toContain(COMPARISON)
    expect(run(program, 3)).toBe(4)
    expect(run(program, 200)).toBe(0)
  })

  test.each([
    [32, 'div'],
    [32, 'mod'],
    [64, 'div'],
    [64, 'mod'],
  ] as const)('a divisor that is not zero: %i bits, %s', (bits, operation) => {
    const above = [load(3, 1, 12, 4), and(3, 7), addImmediate(3, 1), mov(0, 100), divide(bits, operation), exit]
    const any = [load(3, 1, 12, 4), and(3, 7), mov(0, 100), divide(bits, operation), exit]
    expect(textOf(above)).not.toContain('r3===0')
    expect(textOf(any)).toContain('r3===0')
    expect(run(above, 6)).toBe(operation === 'div' ? 14 : 2)
    expect(run(any, 0)).toBe(operation === 'div' ? 0 : 100)
  })

  test('a copy of the pointer is as little null as the first', () => {
    const program: Instruction[] = [...lookup(0), copy(6, 0), load(0, 6, 0, 8), exit]
    expect(run(program, 0)).toBe(1)
  })
})
