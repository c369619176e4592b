import { PUBLISHED, REFERENCE_STEPS, residuals, type Variant } from '@vring/cost-model'
import { createRegistry } from '@vring/registry'
import { describe, expect, it } from 'vitest'
import { createModel, publishedFor, publishedRates } from './model-results.ts'

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
    const v4 = { id, accessor: 'vmap-direct', options: { mapping: 'vmap', sync: 'mutex', era: '2019' } }
    expect(publishedFor(rows, v4, 'on')?.mpps).toBe(6.1)
    expect(publishedFor(rows, { ...v4, options: { ...v4.options, sync: 'spinlock' } }, 'on')).toBeUndefined()
    expect(publishedFor(rows, { id, accessor: 'nospec-masked', options: { era: '2019' } }, 'off')?.mpps).toBe(7.2)
    expect(publishedFor(rows, { id, accessor: 'nospec-masked', options: { era: '2019' } }, 'on')).toBeUndefined()
    expect(publishedFor(rows, { ...v4, id: `${id}/chainLength=4` }, 'on')).toBeUndefined()
    expect(publishedFor(rows, { id, accessor: 'baseline', options: {} }, 'off')).toBeUndefined()
  })
})
