import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { determined, determines } from './elimination.ts'
import { nnls } from './nnls.ts'

describe('nnls', () => {
  test('solves a square system whose solution is positive', () => {
    const x = nnls(
      [
        [2, 1],
        [1, 3],
      ],
      [5, 10],
    )
    expect(x[0]).toBeCloseTo(1, 9)
    expect(x[1]).toBeCloseTo(3, 9)
  })

  test('holds at zero what the unconstrained solution makes negative', () => {
    // Unconstrained: x = (3, -1). With x[1] = 0 the best x[0] minimises (x - 3)^2 + (x - 2)^2 + 1.
    const x = nnls(
      [
        [1, 0],
        [1, 1],
        [0, 1],
      ],
      [3, 2, -1],
    )
    expect(x[0]).toBeCloseTo(2.5, 9)
    expect(x[1]).toBe(0)
  })

  test('meets the optimality conditions of Karush, Kuhn and Tucker', () => {
    const entry = fc.integer({ min: -9, max: 9 })
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 5 })
          .chain((columns) =>
            fc.tuple(
              fc.array(fc.array(entry, { minLength: columns, maxLength: columns }), { minLength: 6, maxLength: 8 }),
              fc.array(entry, { minLength: 8, maxLength: 8 }),
            ),
          ),
        ([a, b]) => {
          const target = b.slice(0, a.length)
          const x = nnls(a, target)
          const residual = a.map((row, i) => target[i]! - row.reduce((sum, value, k) => sum + value * x[k]!, 0))
          x.forEach((value, column) => {
            const slope = a.reduce((sum, row, i) => sum + row[column]! * residual[i]!, 0)
            expect(value).toBeGreaterThanOrEqual(0)
            // Nothing to gain by growing any x; nothing by changing one that is free.
            expect(slope).toBeLessThan(1e-5)
            if (value > 0) expect(Math.abs(slope)).toBeLessThan(1e-5)
          })
        },
      ),
      { numRuns: 300 },
    )
  })

  test('refuses what is no system of equations', () => {
    expect(() => nnls([], [])).toThrow(/rows of one length/)
    expect(() => nnls([[1], [1, 2]], [1, 2])).toThrow(/rows of one length/)
    expect(() => nnls([[1]], [1, 2])).toThrow(/rows of one length/)
    expect(() => nnls([[Number.NaN]], [1])).toThrow(/finite/)
  })
})

describe('determined', () => {
  test('tells the unknowns that rows pin down from those they do not', () => {
    expect(
      determined([
        [1, 0, 0, 0],
        [0, 1, 1, 0],
        [0, 2, 2, 0],
      ]),
    ).toEqual([true, false, false, false])
  })
})

describe('determines', () => {
  test('says whether rows settle another one', () => {
    const rows = [
      [1, 0, 0],
      [0, 1, 1],
    ]
    expect(determines(rows, [3, 2, 2])).toBe(true)
    expect(determines(rows, [0, 1, 0])).toBe(false)
  })
})
