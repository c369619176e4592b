import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fitProfiles } from './fit-profiles.ts'
import { predict } from './predict.ts'
import { PUBLISHED, type PublishedRow } from './published.ts'
import { REFERENCE_STEPS } from './reference-steps.ts'
import { leaveOneOut, type Residual, residuals } from './residuals.ts'
import { maskedByDifference, smapShares } from './smap-share.ts'

/** What a residual table prints: one line a row. */
function lines(rows: readonly Residual[]): string {
  return rows
    .map(({ row, published, modelled, error }) => {
      return `${row.id}: ${published.toFixed(3)} published, ${modelled.toFixed(3)} modelled, ${(100 * error).toFixed(1)} %`
    })
    .join('\n')
}

const worst = (rows: readonly Residual[]): number => Math.max(...rows.map(({ error }) => Math.abs(error)))

describe('the model fitted to the published rows', () => {
  const fitted = fitProfiles(PUBLISHED, REFERENCE_STEPS)

  test('meets every published cell of the four patch versions within 5 %', () => {
    const all = residuals(fitted, PUBLISHED, REFERENCE_STEPS).filter(({ heldOut }) => !heldOut)
    expect(all).toHaveLength(14)
    expect(worst(all), lines(all)).toBeLessThan(0.05)
  })

  test('meets each row within 7 % when that row alone is left out, where the others settle it', () => {
    const left = leaveOneOut(PUBLISHED, REFERENCE_STEPS)
    expect(left).toHaveLength(PUBLISHED.length)
    const settled = left.filter(({ determined }) => determined)
    expect(worst(settled), lines(settled)).toBeLessThan(0.07)
    // The only cell with checks and masks, and the only row that tells a lock from a barrier.
    expect(left.filter(({ determined }) => !determined).map(({ row }) => row.id)).toEqual([
      'v4/nospec-masked/smap-off',
      'fixes-v5/broadwell/smap-on',
    ])
  })

  test('has fewer parameters than rows, each told by the rows', () => {
    const rows = PUBLISHED.filter((row) => row.kind === 'rate' || !row.transfer)
    expect(fitted.parameters.length).toBeLessThan(rows.length)
    expect(fitted.parameters.filter(({ determined }) => !determined)).toEqual([])
    expect(fitted.parameters.map(({ name }) => name)).toEqual([
      'base:v4',
      'base:merged',
      'base:rework',
      'smapPair:broadwell',
      'lfence:broadwell',
      'smapPair:kaby-lake',
      'lfence:kaby-lake',
      'check',
      'lock',
    ])
  })

  test('marks the rows that it goes through whatever they say, and no other', () => {
    const leverage = residuals(fitted, PUBLISHED, REFERENCE_STEPS).map(({ row, leverage }) => ({
      id: row.id,
      leverage,
    }))
    const through = leverage.filter((one) => (one.leverage ?? 0) > 0.999).map(({ id }) => id)
    expect(through).toEqual(['v4/nospec-masked/smap-off', 'fixes-v5/broadwell/smap-on'])
    // Leverages add up to the number of parameters. A row that was not fitted has none.
    const sum = leverage.reduce((total, one) => total + (one.leverage ?? 0), 0)
    expect(sum).toBeCloseTo(fitted.parameters.length, 6)
    expect(leverage.filter((one) => one.leverage === null).map(({ id }) => id)).toEqual([
      'fixes-v5/sandy-bridge/smap-off',
    ])
  })

  test('puts the unpublished cell between 4.9 and 5.5 Mpps, and differences of published cells at 5.34', () => {
    const { low, high } = fitted.rateInterval('v4', 'nospec-masked', true)!
    expect([low.toFixed(1), high.toFixed(1)]).toEqual(['4.9', '5.5'])
    expect(maskedByDifference()).toBeCloseTo(5.34, 2)
    const { mpps } = predict(fitted.profiles.get('v4')!, REFERENCE_STEPS['nospec-masked'], true)
    expect(mpps).toBeGreaterThan(low)
    expect(mpps).toBeLessThan(high)
  })

  test('prices steps as hardware could: a lock at tens of cycles, a check at a few, a pair at ten-odd ns', () => {
    const value = (name: string): number => fitted.parameters.find((one) => one.name === name)!.value
    expect(value('lock')).toBeGreaterThan(10)
    expect(value('lock')).toBeLessThan(60)
    expect(value('check')).toBeLessThan(6)
    for (const machine of ['broadwell', 'kaby-lake']) {
      expect(value(`smapPair:${machine}`)).toBeGreaterThan(5)
      expect(value(`smapPair:${machine}`)).toBeLessThan(25)
      expect(value(`lfence:${machine}`)).toBeGreaterThan(2)
      expect(value(`lfence:${machine}`)).toBeLessThan(15)
    }
  })

  test('does not fit rows that only transfer to another machine', () => {
    const without = PUBLISHED.filter((row) => row.kind === 'rate' || !row.transfer)
    expect(without.length).toBe(PUBLISHED.length - 1)
    expect(fitProfiles(without, REFERENCE_STEPS).parameters).toEqual(fitted.parameters)
  })
})

describe('what SMAP has to do with vmap', () => {
  test('is a little more than half of what V4 saves, by the published rates alone', () => {
    const v4 = smapShares().find(({ setup }) => setup === 'v4')!
    expect([v4.savedNs.toFixed(1), v4.withoutSmapNs.toFixed(1), v4.share.toFixed(2)]).toEqual(['36.1', '16.4', '0.55'])
    expect(smapShares().map(({ setup }) => setup)).toEqual(['v4', 'merged', 'rework'])
    expect(smapShares(PUBLISHED.filter(({ id }) => id !== 'v4/vmap-direct/smap-off'))).toHaveLength(2)
  })
})

const GAIN = PUBLISHED.find(({ id }) => id === 'fixes-v5/broadwell/smap-on')!
const BASE = fitProfiles(PUBLISHED, REFERENCE_STEPS).parameters[0]!.value

/** Numbers in [0, 1) from a seed. Source: Tommy Ettinger, mulberry32, public domain. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

describe('fitProfiles', () => {
  test('finds the profile that made-up rows were computed with', () => {
    fc.assert(
      fc.property(
        fc.record({
          base: fc.double({ min: 80, max: 200, noNaN: true }),
          smapPair: fc.double({ min: 1, max: 30, noNaN: true }),
          lfence: fc.double({ min: 1, max: 20, noNaN: true }),
          check: fc.double({ min: 0.5, max: 3, noNaN: true }),
        }),
        ({ base, smapPair, lfence, check }) => {
          const costs = { smapPair, lfence, limitCheck: check, mask: check, lock: 0 }
          const made = { name: 'made up', clockGHz: 2.6, base, costs }
          const rows = PUBLISHED.filter((row) => row.kind === 'rate' && row.setup === 'v4').map((row) => {
            if (row.kind !== 'rate') throw new Error('a rate')
            return { ...row, mpps: predict(made, REFERENCE_STEPS[row.variant], row.smap).mpps } satisfies PublishedRow
          })
          const found = fitProfiles(rows, REFERENCE_STEPS).profiles.get('v4')!
          expect(found.base).toBeCloseTo(base, 3)
          expect(found.costs.smapPair).toBeCloseTo(smapPair, 3)
          expect(found.costs.lfence).toBeCloseTo(lfence, 3)
          expect(found.costs.limitCheck).toBeCloseTo(check, 3)
        },
      ),
      { numRuns: 100 },
    )
  })

  test('says which parameters its rows do not tell', () => {
    const rows = PUBLISHED.filter((row) => row.id.startsWith('v4/vmap-direct'))
    const undetermined = fitProfiles(rows, REFERENCE_STEPS)
      .parameters.filter(({ determined }) => !determined)
      .map(({ name }) => name)
    expect(undetermined).toEqual(['lfence:broadwell', 'check', 'lock'])
  })

  test('gives intervals that hold the truth in about 95 of 100 made-up publications, and none without a scatter', () => {
    const truth = fitProfiles(PUBLISHED, REFERENCE_STEPS)
    const random = mulberry32(1)
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    const rows = PUBLISHED.filter((row) => row.kind === 'rate')
    let held = 0
    for (let round = 0; round < 400; round++) {
      const made = rows.map((row): PublishedRow => {
        if (row.kind !== 'rate') throw new Error('a rate')
        const { mpps } = predict(truth.profiles.get(row.setup)!, REFERENCE_STEPS[row.variant], row.smap)
        return { ...row, mpps: mpps / (1 + 0.01 * normal()) }
      })
      const { interval } = fitProfiles([...made, GAIN], REFERENCE_STEPS).parameters[0]!
      if (interval!.low <= BASE && BASE <= interval!.high) held++
    }
    expect(held / 400).toBeGreaterThan(0.92)
    expect(held / 400).toBeLessThan(0.98)
    const v4 = PUBLISHED.filter((row) => row.setup === 'v4')
    expect(fitProfiles(v4, REFERENCE_STEPS).parameters[0]!.interval).toBeNull()
  })

  test('refuses rows without a rate', () => {
    expect(() => fitProfiles([], REFERENCE_STEPS)).toThrow(/at least one/)
  })
})
