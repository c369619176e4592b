import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type IntegerField, readInteger } from './integer-field.ts'
import { readObject } from './read-object.ts'

function object(name: string): ReturnType<typeof readObject> {
  return readObject(readFileSync(join(import.meta.dirname, '../../../xdp/fixtures', name)))
}

/** `path@offset:bits`, unsigned. */
function shown(fields: readonly IntegerField[]): string[] {
  return fields.map(({ path, offset, bytes, signed }) => `${path}@${offset}:${signed ? 's' : 'u'}${8 * bytes}`)
}

describe('layout of maps', () => {
  test('keys and values are integers by the names of their structures, and padding is none', () => {
    const { key, value } = object('counters.v3.o').layout('flows')
    expect(shown(key)).toEqual(['source@0:u32', 'port@4:u16', 'protocol@6:u8'])
    expect(shown(value)).toEqual(['frames@0:u64', 'bytes@8:u64', 'sizes[0]@16:u32', 'sizes[1]@20:u32'])
  })

  test('global variables are called by their own names', () => {
    expect(shown(object('counters.v3.o').layout('.bss').value)).toEqual([
      'seen@0:u64',
      'other.short_frames.frames@8:u64',
      'other.short_frames.bytes@16:u64',
      'other.short_frames.sizes[0]@24:u32',
      'other.short_frames.sizes[1]@28:u32',
    ])
  })

  test('without types an index of 4 bytes and a counter of 8 are taken for granted', () => {
    const { key, value } = object('xdp1.v3.o').layout('rxcnt')
    expect([shown(key), shown(value)]).toEqual([['@0:u32'], ['@0:u64']])
  })

  test('an integer is read with its sign', () => {
    const bytes = Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
    const read = (size: 1 | 2 | 4 | 8, signed: boolean): number =>
      readInteger(bytes, { path: '', offset: 0, bytes: size, signed })
    expect(([1, 2, 4, 8] as const).map((size) => read(size, true))).toEqual([-2, -2, -2, -2])
    expect(([1, 2, 4] as const).map((size) => read(size, false))).toEqual([0xfe, 0xfffe, 0xffff_fffe])
  })
})
