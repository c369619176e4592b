import { memoryView } from '@vring/memory'
import { FrameBatch, type FrameSource, RxRound } from '@vring/vhost-net'
import { BATCH_DESCRIPTORS_MAX, CHAIN_DESCRIPTORS_MAX } from '@vring/virtqueue'
import { describe, expect, test } from 'vitest'
import {
  BOUND,
  BUFFERS,
  EndlessSource,
  RING_SIZE,
  WORST_CASES,
  Worst,
  WRITE,
  worstRound,
} from './worst-case/worst-round.ts'

test.each(WORST_CASES)('$unit ($what): a round does a bounded amount of work, and the next goes on', (one) => {
  const { worst, source, round } = worstRound(one)
  const isBroken = (): boolean => round.end === 'broken'
  for (let rounds = 0; rounds < 16 && !isBroken() && worst.driver.freeCount < RING_SIZE; rounds++) {
    const before = [source.consumed, worst.driver.freeCount]
    expect(worst.run(round)).toBeLessThanOrEqual(BOUND)
    if (round.end === 'no-buffers') break
    expect(isBroken() || `${before}` !== `${[source.consumed, worst.driver.freeCount]}`).toBe(true)
  }
  expect(worst.queue.broken).toBe(one.ends ?? null)
})

describe.each([false, true])('receive chains that were walked and did not fit (packed: %s)', (packed) => {
  test('are not walked again for the next frames of the round, nor by the next round', () => {
    const worst = new Worst({ packed })
    worst.tables(0, 0, WRITE, 12)
    const source = new EndlessSource(60)
    const round = new RxRound({ ...worst.common, source })
    const { steps } = worst.cpu
    const before = steps.walk
    expect(round.run()).toBe(256)
    expect([round.end, round.truncated]).toEqual(['budget', 256])
    // One look for a chain a frame, one for all there is: in two and a half thousand descriptors the batch is full.
    const walked = steps.walk - before
    expect(walked).toBeLessThan(2 * (BATCH_DESCRIPTORS_MAX + CHAIN_DESCRIPTORS_MAX) + 256 * 4)
    expect(round.run()).toBe(256)
    expect(round.truncated).toBe(512)
    // Suppressing and asking for kicks is what is left.
    expect(steps.walk - before - walked).toBeLessThan(8)
  })

  test('are walked again when the driver adds to them, or for a shorter frame', () => {
    const worst = new Worst({ packed })
    const { driver, cpu } = worst
    const frames = new FrameBatch(12, memoryView(new ArrayBuffer(2048)))
    const consume = (count: number): void => {
      frames.count -= count
    }
    const source: FrameSource = { receive: () => frames, consume }
    const round = new RxRound({ ...worst.common, source, notification: 'poll' })
    const receive = (bytes: number): number => {
      frames.count = 1
      frames.length[0] = 12 + bytes
      const { load } = cpu.steps
      round.run()
      return cpu.steps.load - load
    }
    const add = (chains: number): void => {
      for (let i = 0; i < chains; i++) driver.addOne(BUFFERS, 100, true)
      driver.publish()
    }
    add(1)
    receive(500)
    expect(round.end).toBe('no-buffers')
    // One load: the look at what was added.
    expect([receive(500), receive(600), round.end]).toEqual([1, 1, 'no-buffers'])
    receive(80)
    expect([round.end, round.frames]).toEqual(['empty', 1])
    receive(500)
    add(6)
    receive(500)
    expect([round.end, round.frames, round.truncated]).toEqual(['empty', 2, 0])
  })
})
