import { expect, it } from 'vitest'
import { formatBytes, formatDuration, formatP, formatRate, formatRateInterval, formatRatio } from './format.ts'

it('numbers are for people', () => {
  expect([143.4, 28.04, 5, Number.NaN].map(formatRate)).toEqual(['143', '28.0', '5.00', '–'])
  expect([2048, 250 * 2 ** 20].map(formatBytes)).toEqual(['2 KiB', '250 MiB'])
  expect([-5, 12_400, 61_000].map(formatDuration)).toEqual(['0 s', '12 s', '1 min 1 s'])
  expect([0.0005, 0.001, 1].map(formatP)).toEqual(['< 0.001', '0.001', '1.000'])
})

it('an interval follows its median', () => {
  expect(formatRateInterval({ median: 40, low: 9.5, high: 143.4 })).toBe('40.0 [9.50, 143]')
  expect(formatRatio({ median: 1.5, low: 1.25, high: 2 })).toBe('1.50 [1.25, 2.00]')
  expect(formatRatio({ median: 1.5, low: 1.25, high: 2 }, 3)).toBe('1.500 [1.250, 2.000]')
})
