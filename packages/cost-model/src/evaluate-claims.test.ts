import { describe, expect, test } from 'vitest'
import { CLAIMS, type Claim } from './claims.ts'
import { evaluateClaims } from './evaluate-claims.ts'
import { PUBLISHED } from './published.ts'
import { REFERENCE_STEPS } from './reference-steps.ts'

const evidence = { rows: PUBLISHED, steps: REFERENCE_STEPS }
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

  test('about a gain are judged by rows other than their own, or cannot be tested', () => {
    const verdicts = evaluateClaims(evidence)
      .filter(({ leftOut }) => leftOut.length > 0)
      .map(({ id, verdict, leftOut }) => `${id}: ${verdict}, without ${leftOut.length}`)
    expect(verdicts).toEqual([
      'vmap-smap-on: reproduced, without 2',
      'vmap-smap-off: reproduced, without 2',
      'mask-smap-off: not tested, without 2',
      'vmap-over-mask: not tested, without 2',
      'merged-smap-on: not reproduced, without 2',
      'merged-smap-off: not reproduced, without 2',
      'rework-smap-on: not tested, without 2',
      'rework-smap-off: not tested, without 2',
      'spinlock-smap-on: not tested, without 2',
    ])
  })

  test('are predicted the same whatever their own rows say', () => {
    for (const claim of CLAIMS) {
      if (claim.subject.kind !== 'gain') continue
      const [honest] = evaluateClaims(evidence, [claim])
      const changed = PUBLISHED.map((row) =>
        !honest!.leftOut.includes(row.id)
          ? row
          : row.kind === 'rate'
            ? { ...row, mpps: 3 * row.mpps }
            : { ...row, gain: 2 },
      )
      const [other] = evaluateClaims({ ...evidence, rows: changed }, [claim])
      expect(other, claim.id).toEqual(honest)
    }
  })

  test('get one verdict for one modelled number', () => {
    const seen = new Map<string, string>()
    for (const { id, modelled, verdict } of evaluateClaims(evidence)) {
      if (modelled === null) continue
      const key = modelled.toFixed(6)
      expect(seen.get(key) ?? verdict, id).toBe(verdict)
      seen.set(key, verdict)
    }
    expect(
      ['spinlock-smap-off', 'rework-no-smap'].map((id) => evaluateClaims(evidence, [byId(id)])[0]!.verdict),
    ).toEqual(['not tested', 'not tested'])
  })

  test('that are out of reach are "not tested", each with its reason', () => {
    const untested = evaluateClaims(evidence).filter(({ verdict }) => verdict === 'not tested')
    expect(untested.map(({ id }) => id)).toEqual([
      'mask-smap-off',
      'vmap-over-mask',
      'rework-smap-on',
      'rework-smap-off',
      'spinlock-smap-on',
      'spinlock-smap-off',
      'rework-no-smap',
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
    expect(untested.find(({ id }) => id === 'tx-batching')!.reason).toBe('run with --sweep batch=1,64')
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
    const at = (from: number, to: number) =>
      evaluateClaims({ ...evidence, measured: { 'tx-batching': 3 } }, [
        { ...byId('tx-batching'), known: { missing: 'the TAP', from, to } },
      ])[0]
    expect(at(1, 4)).toMatchObject({ verdict: 'not reproduced', missing: 'the TAP' })
    expect(at(1, 2)).toMatchObject({ verdict: 'not reproduced', missing: null })
    expect(at(1, 2)!.reason).not.toContain('missing')
    expect(at(4, 5)).toMatchObject({ verdict: 'not reproduced', missing: null })
  })

  test('leaves a claim about a setup that was not fitted untested', () => {
    const v4 = PUBLISHED.filter((row) => row.setup === 'v4')
    const [result] = evaluateClaims({ ...evidence, rows: v4 }, [byId('merged-smap-on')])
    expect(result).toMatchObject({ verdict: 'not tested', modelled: null })
  })
})
