import { expect, it } from 'vitest'
import { EXAMPLES } from '../ring/examples.ts'
import { addressText, nameOf, readAddress } from './address.ts'

it('an address names a view, what it shows and the place, and is read as it was written', () => {
  expect(readAddress('#ring/migration-in-mid-round/7')).toEqual({
    view: 'ring',
    what: 'migration-in-mid-round',
    at: 7,
  })
  for (const text of ['#ring', '#schedules', '#xdp', '#schedules/m16', '#ring/a-hostile-chain/0'])
    expect(addressText(readAddress(text))).toBe(text)
})

it('an address that says nothing is the ring from its beginning', () => {
  for (const hash of ['', '#', '#nothing', '#ring//x', '#ring/%zz', '#ring/%zz/-1'])
    expect(readAddress(hash)).toEqual({ view: 'ring', what: '', at: null })
})

it('every story has a name of its own', () => {
  expect(new Set(EXAMPLES.map(({ title }) => nameOf(title))).size).toBe(EXAMPLES.length)
})
