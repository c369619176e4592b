import { describe, expect, it } from 'vitest'
import { seededRandom } from '../stats/index.ts'
import { classRates, pairedRatios, type SliceResult, sliceTally } from './class-rates.ts'

function slices(place: SliceResult['class'], count: number, mpps: number, from = 0): SliceResult[] {
  return Array.from({ length: count }, (_, index) => {
    return { round: from + index, mpps: mpps * (1 + index / 1000), beforeNs: 57, afterNs: 58, class: place }
  })
}

describe('rates by class', () => {
  it('a class has a rate from as many slices on as a row needs, and is null below that, whatever the others have', () => {
    const all = [...slices('near', 20, 18), ...slices('far', 19, 4.7, 20), ...slices('mixed', 30, 9, 39)]
    const rates = classRates(all, 20, seededRandom(1))
    expect(rates.near!.mpps).toMatchObject({ slices: 20 })
    expect(rates.near!.mpps.median).toBeCloseTo(18.17, 1)
    expect(rates.near!.mpps.low).toBeLessThanOrEqual(rates.near!.mpps.median)
    expect([rates.between, rates.far, rates.unknown]).toEqual([null, null, null])
  })

  it('where no class has one, all slices are the class unknown: cores that are moved all the time, or can’t be seen', () => {
    const moved = [...slices('mixed', 25, 9), ...slices('near', 3, 18, 25)]
    const { near, unknown } = classRates(moved, 20, seededRandom(1))
    expect([near, unknown!.mpps.slices]).toEqual([null, 28])
    expect(classRates(slices('unknown', 21, 9), 20, seededRandom(1)).unknown!.mpps.slices).toBe(21)
    expect(classRates(slices('unknown', 19, 9), 20, seededRandom(1)).unknown).toBeNull()
    expect(classRates([], 0, seededRandom(1)).near).toBeNull()
  })

  it('ratios are of slices of one round and one class', () => {
    const before = [...slices('near', 3, 10), ...slices('far', 2, 5, 3)]
    const after = [...slices('near', 2, 20), ...slices('far', 3, 5, 2)]
    expect(pairedRatios(before, after, 'near')).toEqual([[2, 2]])
    expect(pairedRatios(before, after, 'far').flat()).toHaveLength(2)
    expect(pairedRatios(before, after, 'between')).toEqual([])
  })

  it('of several sittings have the interval of as many, not of as many slices', () => {
    const sittings = [10, 11, 12].flatMap((mpps, sitting) =>
      slices('near', 40, mpps, 40 * sitting).map((slice) => ({ ...slice, sitting })),
    )
    const of = (all: readonly SliceResult[]) => classRates(all, 20, seededRandom(1)).near!.mpps
    const [told, one] = [of(sittings), of(sittings.map(({ sitting: _, ...slice }) => slice))]
    expect(told.median).toBe(one.median)
    expect([told.low, told.high].map(Math.round)).toEqual([10, 12])
    expect([one.low, one.high].map(Math.round)).toEqual([11, 11])
    expect(pairedRatios(sittings, sittings, 'near').map((ratios) => new Set(ratios))).toEqual(
      Array.from({ length: 3 }, () => new Set([1])),
    )
  })

  it('are counted by kind', () => {
    expect(sliceTally([...slices('near', 2, 1), ...slices('mixed', 1, 1)])).toBe('near 2, mixed 1')
    expect(sliceTally([])).toBe('')
  })
})
