import fc from 'fast-check'
import * as reference from 'simple-statistics'
import { describe, expect, it } from 'vitest'
import {
  holm,
  mannWhitney,
  median,
  medianInterval,
  normalCdf,
  quantile,
  ratioChangeInterval,
  ratioInterval,
  seededRandom,
  shuffled,
} from './index.ts'
import { ResampleMedian } from './resample-median.ts'

const sample = fc.array(fc.double({ min: 0.001, max: 1000, noNaN: true }), { minLength: 1, maxLength: 40 })

describe('order statistics', () => {
  it('the median is that of simple-statistics', () => {
    fc.assert(
      fc.property(sample, (values) => {
        expect(median(values)).toBeCloseTo(reference.median(values), 9)
      }),
    )
  })

  it('quantiles lie between the order statistics that simple-statistics gives for the same probability', () => {
    fc.assert(
      fc.property(sample, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (values, p) => {
        const step = 1 / values.length
        expect(quantile(values, p)).toBeGreaterThanOrEqual(reference.quantile(values, Math.max(0, p - step)) - 1e-9)
        expect(quantile(values, p)).toBeLessThanOrEqual(reference.quantile(values, Math.min(1, p + step)) + 1e-9)
      }),
    )
  })

  it('interpolates as R type 7 and NumPy do', () => {
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75)
    expect(quantile([15, 20, 35, 40, 50], 0.4)).toBeCloseTo(29, 12)
    expect(quantile([], 0.5)).toBeNaN()
  })
})

describe('bootstrap', () => {
  it('the interval holds the median and lies inside the sample', () => {
    fc.assert(
      fc.property(sample, fc.integer(), (values, seed) => {
        const { median: middle, low, high } = medianInterval(values, seededRandom(seed))
        expect(low).toBeLessThanOrEqual(middle)
        expect(high).toBeGreaterThanOrEqual(middle)
        expect(low).toBeGreaterThanOrEqual(reference.min(values))
        expect(high).toBeLessThanOrEqual(reference.max(values))
      }),
      { numRuns: 20 },
    )
  })

  it('the change of a ratio does not see how fast either run was, and holds what it estimates', () => {
    fc.assert(
      fc.property(sample, sample, fc.double({ min: 0.1, max: 10, noNaN: true }), (cell, reference, speed) => {
        const scaled = { cell: cell.map((value) => value * speed), reference: reference.map((value) => value * speed) }
        const { median: middle, low, high } = ratioChangeInterval({ cell, reference }, scaled, seededRandom(1))
        expect(middle).toBeCloseTo(1, 9)
        expect(low).toBeLessThanOrEqual(1 + 1e-9)
        expect(high).toBeGreaterThanOrEqual(1 - 1e-9)
      }),
      { numRuns: 10 },
    )
    const kept = { cell: [10, 10, 10], reference: [20, 20, 20] }
    const fresh = { cell: [8, 8, 8], reference: [20, 20, 20] }
    expect(ratioChangeInterval(kept, fresh, seededRandom(1))).toEqual({ median: 0.8, low: 0.8, high: 0.8 })
  })

  it('covers the true median about as often as it says', () => {
    const random = seededRandom(7)
    let covered = 0
    for (let round = 0; round < 200; round++) {
      // Sum of three uniforms: symmetric around 1.5.
      const values = Array.from({ length: 15 }, () => random() + random() + random())
      const { low, high } = medianInterval(values, random)
      if (low <= 1.5 && high >= 1.5) covered++
    }
    expect(covered / 200).toBeGreaterThan(0.88)
    expect(covered / 200).toBeLessThan(0.995)
  })

  it('the median of a resample is that of the values that were drawn', () => {
    fc.assert(
      fc.property(fc.oneof(sample, fc.array(fc.integer({ min: 1, max: 4 }))), fc.integer(), (values, seed) => {
        const draws = new ResampleMedian(values)
        const [random, same] = [seededRandom(seed), seededRandom(seed)]
        for (let resample = 0; resample < 5; resample++)
          expect(draws.next(random)).toBe(median(values.map(() => values[Math.floor(same() * values.length)]!)))
      }),
    )
  })

  it('intervals are those that earlier runs had for their seeds', () => {
    const [even, odd] = [
      [5.1, 5, 5.3, 4.9, 6, 5.2],
      [4.4, 4.6, 4.4, 4.7, 4.5],
    ]
    const random = seededRandom(4_000_000_000)
    expect(medianInterval(odd, random)).toEqual({ median: 4.5, low: 4.4, high: 4.7 })
    expect(ratioInterval(odd, even, random)).toEqual({
      median: 1.1444444444444446,
      low: 1.0869565217391306,
      high: 1.2555555555555555,
    })
    expect(ratioChangeInterval({ cell: even, reference: odd }, { cell: odd, reference: even }, random, 0.99)).toEqual({
      median: 0.7635026863983408,
      low: 0.6400110619469026,
      high: 0.849634469102326,
    })
  })

  it('one seed gives one interval', () => {
    const values = [5.1, 5, 5.3, 4.9, 6]
    expect(medianInterval(values, seededRandom(3))).toEqual(medianInterval(values, seededRandom(3)))
  })

  it('the ratio of a scaled sample is the scale', () => {
    const before = [10, 10.1, 9.9, 10, 10.05]
    const after = before.map((value) => value * 1.22)
    const { median: ratio, low, high } = ratioInterval(before, after, seededRandom(1))
    expect(ratio).toBeCloseTo(1.22, 10)
    expect(low).toBeGreaterThan(1.18)
    expect(high).toBeLessThan(1.26)
  })
})

describe('rank test', () => {
  it('U is the rank sum of simple-statistics less its least value', () => {
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const least = (a.length * (a.length + 1)) / 2
        expect(mannWhitney(a, b).u).toBeCloseTo(reference.wilcoxonRankSum(a, b) - least, 6)
      }),
    )
  })

  it('the exact probability is what counting every assignment gives', () => {
    const pooled = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    const choose = (k: number, from: readonly number[]): number[][] =>
      k === 0 ? [[]] : from.flatMap((value, i) => choose(k - 1, from.slice(i + 1)).map((rest) => [value, ...rest]))
    const groups = choose(4, pooled)
    const uOf = (a: readonly number[]): number =>
      a.reduce((sum, x) => sum + pooled.filter((y) => !a.includes(y) && x > y).length, 0)
    for (const a of groups.filter((_, index) => index % 7 === 0)) {
      const b = pooled.filter((value) => !a.includes(value))
      const distance = Math.abs(uOf(a) - 10)
      const asFar = groups.filter((other) => Math.abs(uOf(other) - 10) >= distance).length
      expect(mannWhitney(a, b).p).toBeCloseTo(Math.min(1, asFar / groups.length), 12)
    }
  })

  it('agrees with published values: 10 against 10 fully separated, p = 1.083e-5', () => {
    const low = Array.from({ length: 10 }, (_, i) => i)
    const high = low.map((value) => value + 100)
    expect(mannWhitney(low, high)).toMatchObject({ u: 0, method: 'exact' })
    expect(mannWhitney(low, high).p).toBeCloseTo(2 / 184756, 12)
  })

  it('ties use the corrected normal approximation', () => {
    // By hand: variance 20/12 x (10 - 36/72) = 15.83, z = (7.5 - 0.5) / 3.979 = 1.759, two-sided p = 0.0785.
    const { u, p, method } = mannWhitney([1, 2, 2, 3], [2, 3, 4, 5, 5])
    expect(u).toBe(2.5)
    expect(method).toBe('normal')
    expect(p).toBeCloseTo(0.0785, 4)
  })

  it('identical samples are no evidence', () => {
    expect(mannWhitney([3, 3, 3], [3, 3, 3]).p).toBe(1)
    expect(mannWhitney([], [1]).p).toBe(1)
  })

  it('the normal distribution function is that of simple-statistics', () => {
    for (const z of [-3, -1.96, -0.5, 0, 0.5, 1, 1.64, 1.96, 2.58])
      expect(normalCdf(z)).toBeCloseTo(reference.cumulativeStdNormalProbability(z), 4)
  })

  it('Holm adjusts step by step and keeps the order', () => {
    expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02])
    expect(holm([])).toEqual([])
  })
})

describe('seeded order', () => {
  it('a shuffle is a permutation and repeats with its seed', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
        const once = shuffled(items, seededRandom(seed))
        expect(shuffled(items, seededRandom(seed))).toEqual(once)
        expect([...once].sort()).toEqual([...items].sort())
      }),
    )
  })
})
