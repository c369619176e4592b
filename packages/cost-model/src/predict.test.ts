import { noSteps } from '@vring/accessor'
import { describe, expect, test } from 'vitest'
import { predict } from './predict.ts'
import type { Profile } from './profile.ts'
import { PUBLISHED_COPY_BYTES } from './published.ts'

const profile: Profile = {
  name: 'round numbers',
  clockGHz: 1,
  base: 100,
  costs: { smapPair: 10, lfence: 5, limitCheck: 1, mask: 2, lock: 20 },
}

describe('predict', () => {
  test('adds up what each step costs', () => {
    const steps = {
      ...noSteps(),
      stac: 4,
      clac: 4,
      lfence: 2,
      limitCheck: 3,
      mask: 1,
      lock: 0.5,
      load: 9,
      copyBytes: 64,
    }
    const { ns, mpps, parts, unpriced } = predict(profile, steps, true)
    expect(parts).toEqual({ base: 100, smapPair: 40, lfence: 10, limitCheck: 3, mask: 2, lock: 10 })
    expect(ns).toBe(165)
    expect(mpps).toBeCloseTo(1000 / 165, 12)
    expect(unpriced).toEqual([])
  })

  test('takes a step that is not named for one that does not occur', () => {
    const counted: Record<string, number> = { stac: 2, clac: 2, lfence: 1 }
    expect(predict(profile, counted, true)).toEqual(predict(profile, { ...noSteps(), ...counted }, true))
  })

  test('takes stac and clac for nothing without SMAP, and the rest as before', () => {
    expect(predict(profile, { ...noSteps(), stac: 4, clac: 4, lfence: 2 }, false).ns).toBe(110)
  })

  test('names the steps that a profile can not price', () => {
    const measured: Profile = { ...profile, costs: { ...profile.costs, smapPair: null } }
    const steps = { ...noSteps(), stac: 1, clac: 1, iotlbLookup: 3 }
    expect(predict(measured, steps, true)).toMatchObject({ ns: 100, unpriced: ['iotlbLookup', 'smapPair'] })
    expect(predict(measured, { ...noSteps(), stac: 1, clac: 1 }, false).unpriced).toEqual([])
  })

  test('has no price for bytes beyond those of a published frame: the rate is an upper bound there', () => {
    const copied = (copyBytes: number) => predict(profile, { copyBytes }, true)
    expect(copied(PUBLISHED_COPY_BYTES).unpriced).toEqual([])
    expect(copied(12 + 1518)).toMatchObject({ ns: 100, unpriced: ['copyBytes'] })
  })

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a count of %d', (lfence) => {
    expect(() => predict(profile, { ...noSteps(), lfence }, true)).toThrow(/steps.lfence/)
  })
})
