import { describe, expect, it } from 'vitest'
import { packedRingAreas } from './packed-ring.ts'

describe('packed areas', () => {
  it('of a size that is 0 or above 32768, misaligned or overlapping are refused; no power of two is asked for', () => {
    expect(packedRingAreas(3, true, 0x1000, 0x2000, 0x2004).desc).toEqual({
      address: 0x1000,
      length: 48,
      access: 'read-write',
    })
    for (const size of [0, 32769, 1.5])
      expect(() => packedRingAreas(size, true, 0x1000, 0x2000, 0x2004)).toThrow('1 to 32768')
    expect(() => packedRingAreas(8, true, 0x1008, 0x2000, 0x2004)).toThrow('a multiple of 16')
    expect(() => packedRingAreas(8, true, 0x1000, 0x2002, 0x2004)).toThrow('a multiple of 4')
    expect(() => packedRingAreas(8, true, 0x1000, 0x1040, 0x2004)).toThrow('outside the desc area')
  })
})
