import type { Steps } from '@vring/accessor'
import { VringError } from '@vring/layout'
import { COST_NAMES, type CostName, type Profile, pricedSteps } from './profile.ts'
import { PUBLISHED_COPY_BYTES } from './published.ts'

/** What a packet costs, and on what. Model output: nothing here was measured. */
export interface Prediction {
  /** ns a packet: the sum of `parts`. */
  readonly ns: number
  /** Million packets a second: 1000 / ns. */
  readonly mpps: number
  /** ns a packet by cause, for a stacked bar. */
  readonly parts: Readonly<Record<'base' | CostName, number>>
  /**
   * Steps that occur but have no price in this profile. When there are any, `ns` is a lower bound.
   */
  readonly unpriced: readonly string[]
}

/**
 * Predicts the cost of a packet from its steps: counts per packet, as `CountingCpu` counts them on the real datapath,
 * metadata and payload together. A step that is not named does not occur.
 *
 * @throws VringError ERR_OUT_OF_RANGE for a count that is negative or not finite
 */
export function predict(profile: Profile, steps: Partial<Steps>, smap: boolean): Prediction {
  for (const [name, count] of Object.entries(steps))
    if (!(count >= 0 && count < Number.POSITIVE_INFINITY))
      throw new VringError('ERR_OUT_OF_RANGE', `steps.${name} is ${count}; accepted: a count per packet from 0`, {
        field: `steps.${name}`,
        value: count,
      })
  const counts = pricedSteps(steps, smap)
  const parts: Record<'base' | CostName, number> = {
    base: profile.base,
    smapPair: 0,
    lfence: 0,
    limitCheck: 0,
    mask: 0,
    lock: 0,
  }
  // No rate with the device IOTLB on was published, so no profile can price its lookups.
  const unpriced: string[] = (steps.iotlbLookup ?? 0) > 0 ? ['iotlbLookup'] : []
  // The base has the copy of a published frame in it; what a byte more costs was not published.
  if ((steps.copyBytes ?? 0) > PUBLISHED_COPY_BYTES) unpriced.push('copyBytes')
  for (const name of COST_NAMES) {
    const cost = profile.costs[name]
    if (cost === null) {
      if (counts[name] > 0) unpriced.push(name)
    } else parts[name] = counts[name] * cost
  }
  const ns = Object.values(parts).reduce((sum, part) => sum + part, 0)
  return { ns, mpps: 1000 / ns, parts, unpriced }
}
