import { expect, test } from 'vitest'
import { refused } from './vring-error.ts'

test.each([
  [70_000, 'at most 65536', 'size is 70000; accepted: at most 65536'],
  [0x7000_0000, '0 .. 0xfff', 'size is 0x70000000; accepted: 0 .. 0xfff'],
  [16n, 'a subset of 0xf', 'size is 0x10; accepted: a subset of 0xf'],
  [-1, '0 .. 0xfff', 'size is -1; accepted: 0 .. 0xfff'],
  [1.5, '0 .. 0xfff', 'size is 1.5; accepted: 0 .. 0xfff'],
  ['x', '0 .. 0xfff', 'size is x; accepted: 0 .. 0xfff'],
])('a refusal shows %s in the base of what is accepted, %s', (value, accepted, message) => {
  expect(refused('ERR_OUT_OF_RANGE', 'size', value, accepted).message).toBe(message)
})
