import { describe, expect, test } from 'vitest'
import { type BuiltSection, buildBtf, buildObject, stringTable } from '../../test/build-object.ts'
import { encode, type Instruction, loadRawProgram } from '../index.ts'
import { readObject } from './read-object.ts'

// First words of types, Linux Documentation/bpf/btf.rst: kind, and number of entries.
const INT = 1 << 24
const POINTER = 2 << 24
const ARRAY = 3 << 24
const STRUCT = 4 << 24
const VARIABLE = 14 << 24
const FLOAT = 16 << 24

const MAPS: BuiltSection = { name: '.maps', bytes: new Uint8Array(32) }
const RETURN: Instruction[] = [
  { kind: 'move', destination: 0, source: -1, immediate: 2, bits: 64, fromBits: 64 },
  { kind: 'exit' },
]
const SHT_REL = 9
const SHT_NOBITS = 8

/** An object with types whose names are at these offsets of one long string. */
function withNames(offsets: readonly number[]): Uint8Array {
  const strings = new Uint8Array(1002).fill(0x61)
  strings[0] = strings[1001] = 0
  const types = offsets.map((name) => [name, INT, 4, 32])
  return buildObject([MAPS, { name: '.BTF', bytes: buildBtf(types, strings) }], [{ name: 'm', section: 1, type: 1 }])
}

/** An object with a section of zeros of any length, and a program that refers to it. */
function withBss(size: number): Uint8Array {
  const code = encode([{ kind: 'load-map', destination: 1, map: 0 }, ...RETURN])
  const relocation = new DataView(new ArrayBuffer(16))
  relocation.setUint32(8, 1, true)
  relocation.setUint32(12, 2, true)
  return buildObject(
    [
      { name: 'raw', bytes: code, flags: 4 },
      { name: '.bss', bytes: new Uint8Array(0), type: SHT_NOBITS, size },
      { name: '.relraw', bytes: new Uint8Array(relocation.buffer), type: SHT_REL, info: 1 },
    ],
    [
      { name: 'p', section: 1, type: 2, size: code.length },
      { name: 'g', section: 2, type: 1, size },
    ],
  )
}

describe('an object takes time and memory by its length', () => {
  test('where many types have the same long name, it is read once', () => {
    expect(() => readObject(withNames(new Array<number>(20_000).fill(1))).map('m')).toThrow(/map m is without a struct/)
  })

  test('where names overlap, it is refused once they are 16 times their table', () => {
    const offsets = Array.from({ length: 1000 }, (_, i) => i + 1)
    expect(() => readObject(withNames(offsets)).map('m')).toThrow(
      /\.BTF: characters of all names is more than 17056; accepted: 16 for each byte of the table/,
    )
  })

  test('where structures without integers hold two of one another, 30 deep', () => {
    const names = stringTable(['m', 'type', 'key', 'value', 'max_entries', 'a', 'b'])
    const depth = 30
    const types = Array.from({ length: depth }, (_, i) => [
      0,
      STRUCT | 2,
      8,
      ...[names.at('a'), i + 2, 0],
      ...[names.at('b'), i + 2, 64],
    ])
    types.push([0, FLOAT, 4])
    const [structure, integer] = [depth + 2, depth + 3]
    types.push([0, POINTER, 1], [0, INT, 4, 32])
    const two = depth + 5
    types.push([0, ARRAY, 0, integer, integer, 2], [0, POINTER, depth + 4], [0, POINTER, integer])
    types.push([
      ...[0, STRUCT | 4, 32],
      ...[names.at('type'), two, 0, names.at('key'), depth + 6, 64],
      ...[names.at('value'), structure, 128, names.at('max_entries'), two, 192],
    ])
    types.push([names.at('m'), VARIABLE, depth + 7, 1])
    const object = buildObject(
      [MAPS, { name: '.BTF', bytes: buildBtf(types, names.bytes) }],
      [{ name: 'm', section: 1, type: 1, size: 32 }],
    )
    expect(readObject(object).layout('m').key).toEqual([{ path: '', offset: 0, bytes: 4, signed: false }])
  })
})

describe('global variables of a terabyte', () => {
  test.each([2 ** 31, 2 ** 40, 2 ** 52])('%i bytes of zeros end in one VringError', async (size) => {
    await expect(loadRawProgram(withBss(size))).rejects.toThrow(/map \.bss: value size is \d+; accepted: /)
  })

  test('are set by bytes only', async () => {
    await expect(loadRawProgram(withBss(2 ** 20), { variables: { g: 1 } })).rejects.toThrow(
      'variable g is 1; accepted: 1048576 bytes, as a Uint8Array',
    )
    const program = await loadRawProgram(withBss(16), { variables: { g: -1 } })
    expect(program.maps.get('.bss')!.get(new Uint8Array(4))).toEqual(new Uint8Array(16).fill(255))
  })
})
