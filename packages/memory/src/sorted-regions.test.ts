import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SortedRegions } from './sorted-regions.ts'

const sortedRegions = (starts: readonly number[]): SortedRegions<number> => new SortedRegions(starts, (start) => start)

it('finds the last start at or below an address, whatever was found before', () => {
  const starts = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 12 })
  fc.assert(
    fc.property(starts, fc.array(fc.integer({ min: -2, max: 64 }), { maxLength: 40 }), (unsorted, addresses) => {
      const sorted = unsorted.sort((a, b) => a - b)
      const index = sortedRegions(sorted)
      for (const address of addresses) expect(index.find(address)).toBe(sorted.filter((s) => s <= address).length - 1)
    }),
  )
})

it('finds every region of a walk in order, around the end and again', () => {
  const index = sortedRegions([0, 10, 20])
  for (const address of [0, 10, 20, 0, 15, 25, 5, 25]) expect(index.find(address)).toBe(Math.floor(address / 10))
})

it('finds nothing for what is no address', () => {
  const index = sortedRegions([0, 10])
  for (const address of [Number.NaN, Number.NEGATIVE_INFINITY, -1]) expect(index.find(address)).toBe(-1)
  expect(sortedRegions([]).find(0)).toBe(-1)
})

it('finds the same after changes as one that is made of what is there then', () => {
  const change = fc.record({ at: fc.nat(20), removed: fc.nat(4), added: fc.nat(4), find: fc.integer({ max: 200 }) })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      let starts: readonly number[] = []
      const index = sortedRegions(starts)
      for (const { at, removed, added, find } of changes) {
        const from = Math.min(at, starts.length)
        const count = Math.min(removed, starts.length - from)
        const [low, high] = [starts[from - 1] ?? 0, starts[from + count] ?? 200]
        const room = Array.from({ length: added }, (_, i) => low + ((high - low) * (i + 1)) / (added + 1))
        index.splice(from, count, room)
        starts = starts.toSpliced(from, count, ...room)
        expect(index.list).toEqual(starts)
        const whole = sortedRegions(starts)
        for (const address of [find, ...starts, ...starts.map((start) => start - 0.001), Number.POSITIVE_INFINITY])
          expect(index.find(address)).toBe(whole.find(address))
      }
    }),
  )
})
