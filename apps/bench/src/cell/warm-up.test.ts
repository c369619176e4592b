import { linearRegression, mean } from 'simple-statistics'
import { describe, expect, it } from 'vitest'
import { relativeSlope, warmUp } from './warm-up.ts'

describe('warm-up by slope', () => {
  it('the slope is that of simple-statistics', () => {
    const values = [1, 4, 9, 11, 30]
    const { m } = linearRegression(values.map((value, index) => [index, value]))
    expect(relativeSlope(values)).toBeCloseTo(m / mean(values), 12)
  })

  it('goes on while the rate rises and stops when it is flat', () => {
    let pieces = 0
    const count = warmUp(() => Math.min(20, ++pieces))
    expect(count).toBeGreaterThanOrEqual(24)
    expect(count).toBeLessThanOrEqual(26)
  })

  it('gives up on a rate that never settles', () => {
    let rate = 1
    expect(warmUp(() => (rate *= 1.1))).toBe(40)
  })
})
