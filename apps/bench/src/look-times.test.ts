import { expect, it } from 'vitest'
import { LookTimes } from './look-times.ts'

it('what a packet took is told by the stretches between looks, not by the whole', () => {
  const looks = new LookTimes(5, 1000)
  // 99 stretches of a millisecond with 10000 packets, and one that took ten times as long.
  for (let i = 1; i <= 99; i++) looks.look(5 + i, 1000 + 10_000 * i)
  looks.look(5 + 109, 1000 + 10_000 * 100)
  const { median, p99 } = looks.nsPerPacket()
  expect(median).toBeCloseTo(100)
  expect(p99).toBeGreaterThan(100.5)
})

it('a look that finds no packet is part of the next', () => {
  const looks = new LookTimes(0, 0)
  looks.look(1, 0)
  looks.look(2, 4)
  expect(looks.nsPerPacket()).toEqual({ median: 500_000, p99: 500_000 })
})
