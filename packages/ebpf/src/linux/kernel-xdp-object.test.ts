import { BPF_MAP_TYPES } from '@vring/linux'
import { describe, expect, test } from 'vitest'
import { MAP_TYPE_NUMBERS } from '../maps/map-types.ts'
import { withDescriptors } from './kernel-xdp-object.ts'

const fds = (...numbers: number[]): { fd: number }[] => numbers.map((fd) => ({ fd }))

describe('code for the kernel', () => {
  test('names maps by descriptor instead of number, and leaves other immediates alone', () => {
    const slot = (...bytes: number[]): number[] => bytes.concat(Array.from({ length: 8 - bytes.length }, () => 0))
    const code = new Uint8Array([
      // r1 = 1 ll; r1 = map 1; r2 = map value 0 + 24; r0 = 1
      ...slot(0x18, 0x01, 0, 0, 1),
      ...slot(),
      ...slot(0x18, 0x11, 0, 0, 1),
      // The second half looks like an instruction of its own.
      ...slot(0x18, 0x11, 0, 0, 1),
      ...slot(0x18, 0x22, 0, 0, 0),
      ...slot(0, 0, 0, 0, 24),
      ...slot(0xb7, 0, 0, 0, 1),
    ])
    const before = code.slice()
    const patched = withDescriptors(code, fds(70, 300))
    const immediates = Array.from({ length: 7 }, (_, i) => new DataView(patched.buffer).getUint32(8 * i + 4, true))
    expect(immediates).toEqual([1, 0, 300, 1, 70, 24, 1])
    expect(code).toEqual(before)
  })

  test('that names a map which is not there is refused', () => {
    const code = new Uint8Array([0x18, 0x11, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    expect(() => withDescriptors(code, fds(1))).toThrow('instruction 0: map is 2')
  })
})

test('maps have the names and numbers of one table here and for the kernel', () => {
  expect(MAP_TYPE_NUMBERS).toBe(BPF_MAP_TYPES)
})
