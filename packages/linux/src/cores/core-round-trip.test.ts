import { describe, expect, test } from 'vitest'
import { unsupportedHost } from '../libc.ts'
import { ROUND_TRIP_BYTES, type RoundTripMethod, type RoundTripRole, roundTripEnd } from './core-round-trip.ts'

const code = unsupportedHost() ?? (process.arch === 'x64' ? null : `there is no machine code for ${process.arch}`)
const methods: readonly (readonly [RoundTripMethod, string | null])[] = [
  ['machine code', code],
  ['atomics', null],
]

/** Words of the memory that are not zero: all of them, but one, have to stay so. */
const written = (memory: SharedArrayBuffer): number[] => [...new Int32Array(memory)].filter((word) => word !== 0)

describe.each(methods)('an end of a round trip by %s', (method, reason) => {
  const end = (role: RoundTripRole, memory: SharedArrayBuffer) => roundTripEnd(role, memory, method)

  test.skipIf(reason !== null)(
    'stores one word, and gives up when the other thread does not answer',
    () => {
      const memory = new SharedArrayBuffer(ROUND_TRIP_BYTES)
      const one = end('initiator', memory)
      expect(one.method).toBe(method)
      expect(one.run(3)).toBe(3)
      expect(written(memory)).toEqual([1])
      one.reset()
      expect(written(memory)).toEqual([])
      one.close()
    },
    20_000,
  )

  test.skipIf(reason !== null)(
    'answers an odd number with the even one after it, and takes its own for no question',
    () => {
      const memory = new SharedArrayBuffer(ROUND_TRIP_BYTES)
      const asking = end('initiator', memory)
      const answering = end('responder', memory)
      asking.run(1)
      expect(answering.run(2)).toBe(1)
      expect(written(memory)).toEqual([2])
      for (const one of [asking, answering]) one.close()
    },
    20_000,
  )
})

test('memory of another length is refused', () => {
  expect(() => roundTripEnd('initiator', new SharedArrayBuffer(64))).toThrow('memory.byteLength')
})
