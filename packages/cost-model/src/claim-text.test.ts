import { expect, it } from 'vitest'
import { claimDifferenceText, claimText } from './claim-text.ts'

it('a gain is percent, with its sign; a difference of gains is points of percent', () => {
  const gain = { id: 'vmap-smap-on' }
  expect([0.22, -0.0149, 0].map((value) => claimText(gain, value))).toEqual(['+22.0 %', '-1.5 %', '+0.0 %'])
  expect(claimDifferenceText(gain, 0.028)).toBe('2.8 points')
})

it('a count per packet is a number', () => {
  const count = { id: 'metadata-accesses' }
  expect([claimText(count, 2 + 4 / 64), claimDifferenceText(count, 0.05)]).toEqual(['2.06', '0.05'])
})
