import { describe, expect, it } from 'vitest'
import { seededRandom } from '../stats/index.ts'
import { interleaved } from './order.ts'

describe('trial order', () => {
  it('is A B B A: every second round is the reverse of the one before', () => {
    const rounds = interleaved(5, 10, seededRandom(1))
    expect(rounds).toHaveLength(10)
    for (let i = 0; i < 10; i += 2) expect(rounds[i + 1]).toEqual([...rounds[i]!].reverse())
    for (const round of rounds) expect([...round].sort()).toEqual([0, 1, 2, 3, 4])
  })

  it('comes from the seed', () => {
    expect(interleaved(6, 8, seededRandom(9))).toEqual(interleaved(6, 8, seededRandom(9)))
    expect(interleaved(6, 8, seededRandom(9))).not.toEqual(interleaved(6, 8, seededRandom(10)))
  })
})
