import { describe, expect, test } from 'vitest'
import { studentT975, uncertainty } from './uncertainty.ts'

/** The density of Student's t without its constant. */
const density = (t: number, freedom: number): number => (1 + (t * t) / freedom) ** (-(freedom + 1) / 2)

/** Integral from 0 to `end` by Simpson's rule; t = tan(u) brings infinity to pi / 2. */
function integral(end: number, freedom: number): number {
  const steps = 2000
  const value = (u: number): number => (Math.cos(u) < 1e-12 ? 0 : density(Math.tan(u), freedom) / Math.cos(u) ** 2)
  let sum = 0
  for (let step = 0; step <= steps; step++)
    sum += value((end * step) / steps) * (step === 0 || step === steps ? 1 : step % 2 === 1 ? 4 : 2)
  return (sum * end) / steps / 3
}

describe('uncertainty', () => {
  test('has the points of Student that leave 2.5 % above them', () => {
    for (let freedom = 2; freedom <= 12; freedom++) {
      const part = integral(Math.atan(studentT975(freedom)), freedom) / integral(Math.PI / 2, freedom)
      expect(part, `${freedom}`).toBeCloseTo(0.95, 3)
    }
    // One degree of freedom is a Cauchy distribution.
    expect(studentT975(1)).toBeCloseTo(Math.tan(0.475 * Math.PI), 3)
  })

  test('of a mean is the textbook interval', () => {
    const values = [9, 10, 11, 10]
    const sure = uncertainty(
      [[1], [1], [1], [1]],
      values.map((value) => value - 10),
    )
    expect(sure.degreesOfFreedom).toBe(3)
    expect(sure.sigma).toBeCloseTo(Math.sqrt(2 / 3), 9)
    expect(sure.halfWidth(0)).toBeCloseTo((3.182 * Math.sqrt(2 / 3)) / 2, 9)
    expect(sure.halfWidthOf([2])).toBeCloseTo(3.182 * Math.sqrt(2 / 3), 9)
    expect(sure.leverage(0)).toBeCloseTo(0.25, 9)
  })

  test('is not told by equations that leave no degree of freedom, or do not settle the parameters', () => {
    expect(uncertainty([[1]], [0]).halfWidth(0)).toBeNull()
    const dependent = uncertainty(
      [
        [1, 1],
        [1, 1],
        [2, 2],
      ],
      [0, 0, 0],
    )
    expect(dependent.halfWidth(0)).toBeNull()
    expect(dependent.leverage(0)).toBeNull()
  })
})
