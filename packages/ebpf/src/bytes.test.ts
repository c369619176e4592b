import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadPacketProgram } from '../test/packet-type.ts'
import { createMap, decode, type EbpfObject, encode, indexKeyOf, readObject } from './index.ts'

const object = new Uint8Array(readFileSync(join(import.meta.dirname, '../../xdp/fixtures/features.v3.o')))
const code = encode([
  { kind: 'move', destination: 0, source: -1, immediate: 2, bits: 64, fromBits: 64 },
  { kind: 'exit' },
])
const definition = { name: 'map', type: 'hash', keyBytes: 4, valueBytes: 4, maxEntries: 4 } as const

/** One way of holding bytes: the bytes, and everything that their backing store holds. */
interface Held {
  readonly bytes: Uint8Array
  readonly all: Uint8Array
}

const AT = 4099
const BACKINGS: readonly (readonly [string, (bytes: Uint8Array) => Held])[] = [
  ['a Uint8Array', (bytes) => held(new ArrayBuffer(bytes.length), 0, bytes, Uint8Array)],
  ['an odd subarray', (bytes) => held(new ArrayBuffer(2 * AT + bytes.length), AT, bytes, Uint8Array)],
  ['a Buffer', (bytes) => held(new ArrayBuffer(bytes.length), 0, bytes, Buffer)],
  ['a pooled Buffer', (bytes) => held(new ArrayBuffer(2 * AT + bytes.length), AT, bytes, Buffer)],
  ['shared memory', (bytes) => held(new SharedArrayBuffer(2 * AT + bytes.length), AT, bytes, Uint8Array)],
]

function held(
  store: ArrayBuffer | SharedArrayBuffer,
  at: number,
  bytes: Uint8Array,
  kind: typeof Uint8Array | typeof Buffer,
): Held {
  const all = new Uint8Array(store).fill(0xa5)
  const view =
    kind === Buffer ? Buffer.from(store as ArrayBuffer, at, bytes.length) : new Uint8Array(store, at, bytes.length)
  view.set(bytes)
  return { bytes: view, all }
}

/** Every public function that takes bytes to read, with what it makes of them. */
const READERS: readonly (readonly [string, Uint8Array, (bytes: Uint8Array) => unknown])[] = [
  ['readObject', object, (bytes) => everything(readObject(bytes))],
  ['loading an object', object, (bytes) => loadPacketProgram(bytes, { program: 'count_flows' }).verifiedInstructions],
  ['loading instructions', code, (bytes) => loadPacketProgram({ name: 'p', code: bytes }).verifiedInstructions],
  ['decode', code, (bytes) => decode(bytes)],
  ['a map key', indexKeyOf(7), (bytes) => setAndRead(bytes, indexKeyOf(1))],
  ['a map value', indexKeyOf(7), (bytes) => setAndRead(indexKeyOf(1), bytes)],
]

/** Reads all of an object. */
function everything({ license, programs, mapNames, map }: EbpfObject): unknown {
  return [license, programs.map((one) => one.link()), mapNames.map(map)]
}

function setAndRead(key: Uint8Array, value: Uint8Array): unknown {
  const map = createMap(definition)
  map.set(key, value)
  return [map.keys(), [...map.get(key)!]]
}

describe.each(READERS)('%s', (_name, bytes, read) => {
  test.each(BACKINGS)('is read from %s, which stays as it is', (_backing, hold) => {
    const expected = read(new Uint8Array(bytes))
    const { bytes: input, all } = hold(bytes)
    const before = new Uint8Array(all)
    expect(read(input)).toEqual(expected)
    expect(all).toEqual(before)
  })

  test.each(BACKINGS)('keeps nothing of %s: later changes of the input change no result', (_backing, hold) => {
    const { bytes: input, all } = hold(bytes)
    const result = read(input)
    const before = structuredClone(result)
    all.fill(0)
    expect(result).toEqual(before)
  })
})
