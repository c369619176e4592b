import { describe, expect, test } from 'vitest'
import { CLAIMS, type Claim } from './claims.ts'
import { evaluateClaims } from './evaluate-claims.ts'
import { fitProfiles } from './fit-profiles.ts'
import { PUBLISHED } from './published.ts'
import { REFERENCE_STEPS } from './reference-steps.ts'

const evidence = { fit: fitProfiles(PUBLISHED, REFERENCE_STEPS), steps: REFERENCE_STEPS }
const byId = (id: string): Claim => CLAIMS.find((claim) => claim.id === id)!

describe('the claims', () => {
  test('have ids of their own, a source and a tolerance', () => {
    expect(new Set(CLAIMS.map(({ id }) => id)).size).toBe(CLAIMS.length)
    for (const { source, tolerance } of CLAIMS) {
      expect(source).not.toBe('')
      expect(tolerance).toBeGreaterThan(0)
    }
  })

  test('about a gain agree with the published rates that they are about', () => {
    for (const { subject, published, id } of CLAIMS) {
      if (subject.kind !== 'gain') continue
      const rateOf = (variant: string): number | null => {
        const suffix = `${subject.setup}/${variant}/smap-${subject.smap ? 'on' : 'off'}`
        const row = PUBLISHED.find((one) => one.id === suffix)
        return row?.kind === 'rate' ? row.mpps : null
      }
      const before = rateOf(subject.before)
      const after = rateOf(subject.after)
      if (before !== null && after !== null) expect(after / before - 1, id).toBeCloseTo(published, 2)
    }
  })

  test('that the model can test are all reproduced by it', () => {
    const tested = evaluateClaims(evidence).filter(({ verdict }) => verdict !== 'not tested')
    expect(tested.filter(({ verdict }) => verdict === 'not reproduced')).toEqual([])
    expect(tested.map(({ id }) => id)).toEqual([
      'vmap-smap-on',
      'vmap-smap-off',
      'mask-smap-off',
      'vmap-over-mask',
      'merged-smap-on',
      'merged-smap-off',
      'rework-smap-on',
      'rework-smap-off',
      'spinlock-smap-on',
      'spinlock-smap-off',
      'metadata-accesses',
    ])
  })

  test('that are out of reach are "not tested", each with its reason', () => {
    const untested = evaluateClaims(evidence).filter(({ verdict }) => verdict === 'not tested')
    expect(untested.map(({ id }) => id)).toEqual(['tx-batching', 'checked-2025', 'in-order', 'tap-xdp'])
    for (const { reason } of untested) expect(reason.length).toBeGreaterThan(20)
  })
})

describe('evaluateClaims', () => {
  test('shows a claim that fails as failed', () => {
    const wrong = { ...byId('vmap-smap-on'), published: 0.5 }
    const [result] = evaluateClaims(evidence, [wrong])
    expect(result).toMatchObject({ verdict: 'not reproduced', published: 0.5 })
    expect(result!.reason).toContain('more than 0.05')
  })

  test('takes a measurement of this run by its key', () => {
    const [near] = evaluateClaims({ ...evidence, measured: { 'tx-batching': 0.5 } }, [byId('tx-batching')])
    expect(near).toMatchObject({ verdict: 'reproduced', measured: 0.5, modelled: null })
    const [far] = evaluateClaims({ ...evidence, measured: { 'tx-batching': 0 } }, [byId('tx-batching')])
    expect(far).toMatchObject({ verdict: 'not reproduced' })
  })

  test('leaves a claim about a setup that was not fitted untested', () => {
    const v4 = PUBLISHED.filter((row) => row.setup === 'v4')
    const [result] = evaluateClaims({ ...evidence, fit: fitProfiles(v4, REFERENCE_STEPS) }, [byId('merged-smap-on')])
    expect(result).toMatchObject({ verdict: 'not tested', modelled: null })
  })
})
