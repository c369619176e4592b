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

  test('that the model can test are all reproduced by it, but for the gain of a Sandy Bridge', () => {
    const tested = evaluateClaims(evidence).filter(({ verdict }) => verdict !== 'not tested')
    expect(tested.filter(({ verdict }) => verdict === 'not reproduced').map(({ id }) => id)).toEqual([
      'spinlock-smap-off',
    ])
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
      'rework-no-smap',
      'metadata-accesses',
    ])
  })

  test('that are known to fail say what is missing, and the prices that they name are those of the fit', () => {
    const [result] = evaluateClaims(evidence, [byId('spinlock-smap-off')])
    expect(result).toMatchObject({ verdict: 'not reproduced', missing: expect.stringContaining('Sandy Bridge') })
    expect(result!.reason).toMatch(/^a loss, where a gain was published; missing: /)
    const { base, costs } = evidence.fit.profiles.get('merged')!
    const { lfence } = REFERENCE_STEPS['copy-checked']
    const { lock } = REFERENCE_STEPS['linear-spinlock']
    expect(result!.missing).toContain(`a lock costs ${(costs.lock! / costs.lfence!).toFixed(1)} barriers`)
    const mostLock = ((base + lfence * costs.lfence!) / 1.015 - base) / lock
    expect(result!.missing).toContain(`needs ${(mostLock / costs.lfence!).toFixed(2)} at most`)
  })

  test('that are out of reach are "not tested", each with its reason', () => {
    const untested = evaluateClaims(evidence).filter(({ verdict }) => verdict === 'not tested')
    expect(untested.map(({ id }) => id)).toEqual([
      'tx-batching',
      'tx-batching-redirect',
      'tx-batching-macvtap',
      'covers',
      'spinlock-trial',
      'checked-2025',
      'checked-kvm-intel',
      'checked-kvm-amd',
      'batched-fetch',
      'in-order',
      'in-order-pktgen',
      'in-order-rx',
      'tap-xdp',
      'tap-xdp-redirect',
      'tap-xdp-transmit',
    ])
    for (const { reason } of untested) expect(reason.length).toBeGreaterThan(20)
    expect(untested[0]!.reason).toBe('run with --sweep batch=1,64')
  })

  test('have tolerances that take in neither the opposite of what was claimed nor twice as much', () => {
    for (const { id, published, tolerance, subject } of CLAIMS)
      if (subject.kind === 'gain' && published !== 0) expect(tolerance, id).toBeLessThanOrEqual(Math.abs(published))
  })
})

describe('evaluateClaims', () => {
  test('shows a claim that fails as failed', () => {
    const wrong = { ...byId('vmap-smap-on'), published: 0.5 }
    const [result] = evaluateClaims(evidence, [wrong])
    expect(result).toMatchObject({ verdict: 'not reproduced', published: 0.5 })
    expect(result!.reason).toContain('more than 5.0 points')
  })

  test('does not take a loss for a gain, nor a gain for a loss or for nothing, however near they are', () => {
    const { known: _, ...batching } = byId('tx-batching')
    const near = (published: number): Claim => ({ ...batching, published, tolerance: 0.05 })
    const verdicts = (published: number, value: number): unknown =>
      evaluateClaims({ ...evidence, measured: { 'tx-batching': value } }, [near(published)]).map(
        ({ verdict, reason }) => [verdict, reason],
      )
    expect(verdicts(0.015, -0.001)).toEqual([['not reproduced', 'a loss, where a gain was published']])
    expect(verdicts(-0.01, 0.001)).toEqual([['not reproduced', 'a gain, where a loss was published']])
    expect(verdicts(0.015, 0)).toEqual([['not reproduced', 'no difference, where a gain was published']])
    expect(verdicts(0, -0.025)).toEqual([['reproduced', 'differs by 2.5 points, within 5.0 points']])
    expect(verdicts(0, -0.06)).toEqual([['not reproduced', 'differs by 6.0 points, more than 5.0 points']])
    expect(verdicts(-0.01, -0.02)).toEqual([['reproduced', 'differs by 1.0 points, within 5.0 points']])
  })

  test('counts metadata accesses, whatever the model says', () => {
    const steps = { ...REFERENCE_STEPS, 'copy-checked': { ...REFERENCE_STEPS['copy-checked'], stac: 5, clac: 5 } }
    const [result] = evaluateClaims({ ...evidence, steps }, [byId('metadata-accesses')])
    expect(result).toMatchObject({ verdict: 'not reproduced', modelled: 3, measured: null })
  })

  test('takes a measurement of this run by its key', () => {
    const [near] = evaluateClaims({ ...evidence, measured: { 'tx-batching': 0.5 } }, [byId('tx-batching')])
    expect(near).toMatchObject({ verdict: 'reproduced', measured: 0.5, modelled: null })
    const [far] = evaluateClaims({ ...evidence, measured: { 'tx-batching': 0 } }, [byId('tx-batching')])
    expect(far).toMatchObject({ verdict: 'not reproduced', measured: 0, missing: null })
    const [tooFar] = evaluateClaims({ ...evidence, measured: { 'tx-batching': 3.3 } }, [byId('tx-batching')])
    expect(tooFar!.reason).toMatch(/^differs by 285.2 points, more than 30.0 points; missing: the TAP/)
  })

  test('explains a failure by what is known to be missing only where that makes it come out so', () => {
    const spinlock = byId('spinlock-smap-off')
    const at = (from: number, to: number) =>
      evaluateClaims(evidence, [{ ...spinlock, known: { missing: 'prices', from, to } }])[0]
    expect(at(-0.05, 0)).toMatchObject({ verdict: 'not reproduced', missing: 'prices' })
    expect(at(-0.01, 0)).toMatchObject({ verdict: 'not reproduced', missing: null })
    expect(at(-0.01, 0)!.reason).not.toContain('missing')
    expect(at(-0.2, -0.1)).toMatchObject({ verdict: 'not reproduced', missing: null })
  })

  test('leaves a claim about a setup that was not fitted untested', () => {
    const v4 = PUBLISHED.filter((row) => row.setup === 'v4')
    const [result] = evaluateClaims({ ...evidence, fit: fitProfiles(v4, REFERENCE_STEPS) }, [byId('merged-smap-on')])
    expect(result).toMatchObject({ verdict: 'not tested', modelled: null })
  })
})
