import type { AccessorPlugin, Steps } from '@vring/accessor'
import { copyChecked } from '@vring/accessor-copy-checked'
import { nospecMasked } from '@vring/accessor-nospec-masked'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import {
  COST_NAMES,
  fitProfiles,
  PUBLISHED,
  pricedSteps,
  REFERENCE_STEPS,
  residuals,
  VARIANTS,
  type Variant,
} from '@vring/cost-model'
import { describe, expect, test } from 'vitest'
import { countSteps } from './count-steps.ts'

const plugins: Readonly<Record<string, AccessorPlugin>> = {
  'copy-checked': copyChecked,
  'nospec-masked': nospecMasked,
  'vmap-direct': vmapDirect,
}

const counted = Object.fromEntries(
  Object.entries(VARIANTS).map(([variant, { accessor, options }]) => [
    variant,
    countSteps(plugins[accessor]!, options),
  ]),
) as Record<Variant, Steps>

describe('steps counted on the real datapath', () => {
  test.each(Object.keys(VARIANTS) as Variant[])('of %s are those that the kernel source has', (variant) => {
    for (const smap of [true, false]) {
      const found = pricedSteps(counted[variant], smap)
      const reference = pricedSteps(REFERENCE_STEPS[variant], smap)
      // A driver that publishes 256 at a time has avail.idx read less often; a lock may be taken once a round.
      for (const name of COST_NAMES) expect(Math.abs(found[name] - reference[name]), name).toBeLessThan(0.02)
    }
  })

  test('give a model that meets every published cell within 5 %, as the reference does', () => {
    const all = residuals(fitProfiles(PUBLISHED, counted), PUBLISHED, counted).filter(({ heldOut }) => !heldOut)
    expect(all).toHaveLength(14)
    for (const { row, error } of all) expect(Math.abs(error), row.id).toBeLessThan(0.05)
  })
})
