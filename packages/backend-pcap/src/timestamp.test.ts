import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Timestamp } from './timestamp.ts'

describe('timestamps', () => {
  test('halves are the ns since 1970, to the resolution of the clock', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), fc.integer({ min: 0, max: 3 }), (ms, quarter) => {
        const timestamp = new Timestamp(() => ms + quarter / 4)
        timestamp.take()
        const ns = (BigInt(timestamp.high) << 32n) | BigInt(timestamp.low)
        expect(ns).toBe(BigInt(ms) * 1_000_000n + BigInt(quarter) * 250_000n)
      }),
      { numRuns: 300 },
    )
  })
})
