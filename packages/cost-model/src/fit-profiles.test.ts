import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fitProfiles } from './fit-profiles.ts'
import { predict } from './predict.ts'
import { HELD_OUT, PUBLISHED, type PublishedRow } from './published.ts'
import { REFERENCE_STEPS } from './reference-steps.ts'
import { holdOut, leaveOneOut, type Residual, residuals } from './residuals.ts'

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

  test('meets every held-out row within 7 %, fitted to the others', () => {
    const held = holdOut(PUBLISHED, REFERENCE_STEPS, HELD_OUT).filter(({ heldOut }) => heldOut)
    expect(held.map(({ row }) => row.id).sort()).toEqual([...HELD_OUT].sort())
    expect(worst(held), lines(held)).toBeLessThan(0.07)
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

  test('says that SMAP is the reason for vmap: the mask alone, with SMAP on, gains little', () => {
    const profile = fitted.profiles.get('v4')!
    const mpps = (variant: keyof typeof REFERENCE_STEPS): number =>
      predict(profile, REFERENCE_STEPS[variant], true).mpps
    // Nobody published this cell: Jason Wang did not test it, "for it will be much slow for sure".
    expect(mpps('nospec-masked')).toBeGreaterThan(5.0)
    expect(mpps('nospec-masked')).toBeLessThan(5.5)
    expect(mpps('vmap-direct') / mpps('nospec-masked')).toBeGreaterThan(1.1)
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

  test('refuses rows without a rate', () => {
    expect(() => fitProfiles([], REFERENCE_STEPS)).toThrow(/at least one/)
  })
})
