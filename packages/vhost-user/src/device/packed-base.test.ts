import type { Window } from '@vring/accessor'
import { packedRingAreas, splitRingAreas } from '@vring/layout'
import { expect, test } from 'vitest'
import { packedBase } from './packed-base.ts'

const [AVAIL, USED] = [0x80, 0x8000]
const packed = packedRingAreas(8, false, 0, 0x1000, 0x2000)
const desc = (flags: number): Window => ({ load16: () => flags }) as unknown as Window

test('a base of 0 is the first lap of a packed ring that begins, and the second of one that has been through', () => {
  expect(packedBase(desc(0), packed, 0)).toBe(0x8000_8000)
  expect(packedBase(desc(AVAIL), packed, 0)).toBe(0x8000_8000)
  expect(packedBase(desc(AVAIL | USED), packed, 0)).toBe(0)
  expect(packedBase(desc(USED), packed, 0)).toBe(0)
})

test('any other base, that of a split ring, and a ring that can’t be read are left alone', () => {
  expect(packedBase(desc(0), packed, 0x8000_8000)).toBe(0x8000_8000)
  expect(packedBase(desc(0), splitRingAreas(8, false, 0, 0x1000, 0x2000), 0)).toBe(0)
  expect(packedBase(desc(-14), packed, 0)).toBe(0)
})
