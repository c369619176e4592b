import { describe, expect, it } from 'vitest'
import { HOLD_CHAINS } from '../src/chain-batch.ts'
import { ChainBatch } from '../src/index.ts'
import { addEveryKind, FORMATS, type WatchedQueue, watchedQueue } from './watched-queue.ts'

describe.each(FORMATS)('a hold of a %s ring', (format) => {
  const queue = (queueSize: number): WatchedQueue => watchedQueue({ way: 'lease', format, queueSize })

  it('touches the lease and nothing else, and what it gave is not touched after it', () => {
    const q = queue(16)
    const use = (way: 'batch' | 'one by one'): void => {
      const popped = q.device.popBatch(q.batch, 64)
      expect(popped).toBe(5)
      expect(q.space.held).toBe(false)
      if (way === 'batch') expect(q.device.useBatch(q.batch, popped)).toBe(0)
      else {
        for (let chain = 0; chain < popped; chain++) q.device.push(q.batch, chain, 0)
        expect(q.device.flush()).toBe(0)
      }
      q.device.needsNotification()
      q.device.enableNotification()
      expect(q.space.held).toBe(false)
      expect(q.driver.reclaim()).toBe(5)
    }
    for (let lap = 0; lap < 4; lap++) {
      for (let i = 0; i < 5; i++) q.driver.addOne(q.heap, 60, false)
      q.driver.publish()
      use('batch')
      addEveryKind(q)
      use(lap % 2 === 0 ? 'batch' : 'one by one')
    }
    expect(q.device.broken).toBeNull()
  })

  it(`reads at most ${HOLD_CHAINS} chains, and publishes at most as many`, () => {
    const q = queue(256)
    const batch = new ChainBatch(200)
    for (let i = 0; i < 200; i++) q.driver.addOne(q.heap, 60, false)
    q.driver.publish()
    expect(q.device.popBatch(batch, 200)).toBe(200)
    expect(q.space.holds).toBe(Math.ceil(200 / HOLD_CHAINS))
    q.space.holds = 0
    expect(q.device.useBatch(batch, 200)).toBe(0)
    expect(q.space.holds).toBe(0)
    expect(q.driver.reclaim()).toBe(200)
  })
})
