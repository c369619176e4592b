import { expect, test } from 'vitest'
import { about, accessOf, areaOf } from './about.ts'
import { causesOf } from './causes-of.ts'
import { AssertionFailure } from './conformance-case.ts'

const failed = (title: string, suite: string, failure: AssertionFailure) => ({ title, suite, failure })

test('a failure follows an earlier one by the fields of its error, whatever its words name', () => {
  const results = [
    failed('loads', 'bounds', new AssertionFailure(about`${accessOf('driver', 'load16', 4)}: found 1, expected 2`)),
    { title: 'holds', suite: 'bounds', failure: null },
    failed(
      'stores',
      'order',
      new AssertionFailure(about`what the driver reads after ${accessOf('device', 'store16')}`),
    ),
    failed('stores again', 'dirty', new AssertionFailure(accessOf('device', 'store16', 2))),
    failed('the area', 'dirty', new AssertionFailure(about`mappings of ${areaOf('driver')}`)),
    failed('another area', 'dirty', new AssertionFailure(about`mappings of ${areaOf('desc')}`)),
    failed('a whole ring', 'ring', new AssertionFailure('{"desc.direct":1}: desc.load16 is not in it')),
  ]
  expect(causesOf(results)).toEqual([null, null, null, 'stores', 'loads', null, 'loads'])
})

test('words are about the first access that stands in them, else about the first area', () => {
  const words = about`${areaOf('desc')}, after ${about`a store by ${accessOf('device', 'store32', 8)}`} at ${3}`
  expect(words).toMatchObject({
    text: 'desc, after a store by device.store32(8) at 3',
    area: 'device',
    method: 'store32',
  })
  expect(about`beginRound`).toMatchObject({ text: 'beginRound', area: null, method: null })
})
