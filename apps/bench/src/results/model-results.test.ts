import { PUBLISHED, REFERENCE_STEPS, residuals, type Variant } from '@vring/cost-model'
import { createRegistry } from '@vring/registry'
import { describe, expect, it } from 'vitest'
import { madeCell, madeResults } from '../../test/made-results.ts'
import { createModel, publishedFor, publishedRates, withModel } from './model-results.ts'
import type { CellResult, ClaimResult } from './results.ts'

describe('the model over the real datapath', () => {
  const model = createModel(createRegistry(), 1)

  it('has the steps that the source of the kernel has', () => {
    for (const [variant, expected] of Object.entries(REFERENCE_STEPS)) {
      const counted = model.steps[variant as Variant]
      for (const step of ['stac', 'clac', 'lfence', 'limitCheck', 'mask', 'lock'] as const)
        expect(Math.abs(counted[step] - expected[step]), `${variant} ${step}`).toBeLessThan(0.03)
    }
  })

  it('is within 5 % of every published rate', () => {
    for (const { row, error } of residuals(model.fit, PUBLISHED, model.steps))
      if (row.kind === 'rate') expect(Math.abs(error), row.id).toBeLessThan(0.05)
  })

  it('shows a published rate beside a cell only when the cell does what was published', () => {
    const rows = publishedRates()
    const id = 'x/split/inproc/xdp1/64B/q256/b64'
    const v4 = { id, accessor: 'vmap-direct', options: { mapping: 'vmap', sync: 'mutex', hold: 'access', era: '2019' } }
    expect(publishedFor(rows, v4, 'on')?.mpps).toBe(6.1)
    expect(publishedFor(rows, { ...v4, options: { ...v4.options, sync: 'spinlock' } }, 'on')).toBeUndefined()
    expect(publishedFor(rows, { id, accessor: 'nospec-masked', options: { era: '2019' } }, 'off')?.mpps).toBe(7.2)
    expect(publishedFor(rows, { id, accessor: 'nospec-masked', options: { era: '2019' } }, 'on')).toBeUndefined()
    expect(publishedFor(rows, { ...v4, id: `${id}/chainLength=4` }, 'on')).toBeUndefined()
    expect(publishedFor(rows, { id, accessor: 'baseline', options: {} }, 'off')).toBeUndefined()
  })

  const claim = (id: string, cells: readonly CellResult[]): ClaimResult | undefined =>
    withModel(madeResults(cells), model).claims.find((one) => one.id === id)

  it('has each claim with its verdict; one that a fit judges names the rows that it did without', () => {
    const failed = withModel(madeResults([]), model).claims.filter(({ verdict }) => verdict === 'not reproduced')
    expect(failed.map(({ id }) => id)).toEqual(['merged-smap-on', 'merged-smap-off'])
    expect(failed[0]!.leftOut).toEqual(['merged/copy-checked/smap-on', 'merged/linear-rcu/smap-on'])
    expect(claim('metadata-accesses', [])).toMatchObject({ verdict: 'reproduced', published: 2.0625 })
    expect(Math.abs(claim('metadata-accesses', [])!.modelled! - 2.0625)).toBeLessThan(0.02)
  })

  it('takes the gain of TX batching from two cells that differ in the batch alone', () => {
    const copy = (mpps: number, more: Partial<CellResult>): CellResult => madeCell('copy-checked', mpps, more)
    const pair = [copy(10, { batch: 1 }), copy(15, { batch: 64 })]
    expect(claim('tx-batching', pair)).toMatchObject({ verdict: 'reproduced', measured: 0.5, modelled: null })
    const wrong = [copy(10, { batch: 1 }), copy(9, { batch: 64 })]
    expect(claim('tx-batching', wrong)).toMatchObject({ verdict: 'not reproduced' })
    for (const cells of [
      [],
      [copy(15, { batch: 64 })],
      [copy(10, { batch: 1 }), copy(15, { batch: 64, queueSize: 1024 })],
      [madeCell('vmap-direct', 10, { batch: 1 }), madeCell('vmap-direct', 15, { batch: 64 })],
    ])
      expect(claim('tx-batching', cells)).toMatchObject({
        verdict: 'not tested',
        reason: 'run with --sweep batch=1,64',
      })
  })
})
