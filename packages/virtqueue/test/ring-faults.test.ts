import { EAGAIN, EFAULT } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { type FlatQueue, type FlatQueueOptions, type Hole, WAYS } from './flat-queue.ts'
import { addEveryKind, addTable, FORMATS, type WatchedQueue, watchedQueue } from './watched-queue.ts'

/** No translation at all. */
const EVERYWHERE: Hole = { from: 0, to: Infinity, errno: EAGAIN }

describe.each(FORMATS)('%s', (format) => {
  describe.each(WAYS)('by %s', (way) => {
    const queue = (options: FlatQueueOptions = {}): WatchedQueue =>
      watchedQueue({ way, format, queueSize: 16, ...options })
    const split = format === 'split'

    it('a missing translation is asked for again, and nothing is lost or done twice', () => {
      const q = queue()
      addEveryKind(q)
      q.space.hole = EVERYWHERE
      expect(q.device.popBatch(q.batch, 64)).toBe(EAGAIN)
      expect(q.device.enableNotification()).toBe(EAGAIN)
      expect(q.device.hasMore()).toBe(EAGAIN)
      expect(q.device.needsNotification()).toBe(true)
      q.space.hole = null
      expect(q.device.popBatch(q.batch, 5)).toBe(5)
      q.space.hole = EVERYWHERE
      expect(q.device.useBatch(q.batch, 5)).toBe(EAGAIN)
      expect([q.device.pending, q.device.flush(), q.device.broken]).toEqual([5, EAGAIN, null])
      q.space.hole = null
      expect(q.device.flush()).toBe(0)
      expect([q.device.pending, q.driver.reclaim()]).toEqual([0, 5])
    })

    it('an indirect table whose translation is missing ends the batch before its chain', () => {
      const q = queue()
      q.driver.addOne(q.heap, 60, false)
      addTable(q, q.heap + 0x2000, 2)
      q.driver.publish()
      q.space.hole = { from: q.heap + 0x2010, to: q.heap + 0x2020, errno: EAGAIN }
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      expect(q.device.popBatch(q.batch, 64)).toBe(EAGAIN)
      expect(q.device.broken).toBeNull()
      q.space.hole = null
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      expect(q.batch.segStart[1]).toBe(2)
    })

    it.each([
      ['popBatch', (q: FlatQueue): number => q.device.popBatch(q.batch, 64)],
      ['flush', (q: FlatQueue): number => q.device.flush()],
      ['needsNotification', (q: FlatQueue): number => (q.device.needsNotification() ? -1 : 0)],
      [
        'disableNotification',
        (q: FlatQueue): number => {
          q.device.disableNotification()
          return -1
        },
      ],
      ['enableNotification', (q: FlatQueue): number => q.device.enableNotification()],
      ['hasMore', (q: FlatQueue): number => q.device.hasMore()],
    ] as const)('%s breaks the queue when its memory is gone', (_name, run) => {
      // Without EVENT_IDX a split queue has something to store in each.
      const q = queue({ features: 0n })
      q.driver.addOne(q.heap, 60, false)
      q.driver.publish()
      q.device.popBatch(q.batch, 64)
      q.device.push(q.batch, 0, 0)
      q.space.end = 0x1000
      expect(run(q)).toBeLessThan(0)
      expect(q.device.broken).toBe('metadata-fault')
    })

    it('what can not be reached ends the batch before its chain, whatever part of it that is', () => {
      for (const part of split ? ['entry', 'descriptor'] : ['descriptor'])
        for (const errno of [EAGAIN, EFAULT]) {
          const q = queue()
          for (let i = 0; i < 2; i++) q.driver.addOne(q.heap, 60, false)
          q.driver.publish()
          // Of a packed descriptor all but its flags.
          const from = part === 'entry' ? q.ring.driver.address + 6 : q.ring.desc.address + 16
          q.space.hole = { from, to: from + 2, errno }
          expect(q.device.popBatch(q.batch, 64)).toBe(1)
          expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
          expect(q.device.broken).toBe(errno === EAGAIN ? null : 'metadata-fault')
        }
    })

    it('what can not be reached in the middle of a chain is not taken for a descriptor', () => {
      for (const errno of [EAGAIN, EFAULT]) {
        const q = queue()
        q.driver.add([0, 1].map((part) => ({ address: q.heap + 0x100 * part, length: 10 })))
        q.driver.publish()
        q.space.hole = { from: q.ring.desc.address + 16, to: q.ring.desc.address + 18, errno }
        expect(q.device.popBatch(q.batch, 64)).toBeLessThan(0)
        expect(q.device.broken).toBe(errno === EAGAIN ? null : 'metadata-fault')
      }
    })

    it.each([
      ['the elements', 8],
      ['the flags', 14],
    ])('nothing is published when a part of %s can not be stored', (_name, at) => {
      const q = queue({ kind: 'writable' })
      for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 60, true)
      q.driver.publish()
      expect(q.device.popBatch(q.batch, 64)).toBe(3)
      const from = split ? q.ring.device.address + 4 + at : q.ring.desc.address + 16 + at
      q.space.hole = { from, to: from + 2, errno: EAGAIN }
      for (let i = 0; i < 3; i++) q.device.push(q.batch, i, 7)
      expect(q.device.flush()).toBe(EAGAIN)
      q.space.hole = null
      expect(q.driver.reclaim()).toBe(0)
      expect(q.device.flush()).toBe(0)
      expect(q.driver.reclaim()).toBe(3)
    })

    it('the second look after asking for notification fails as the first does', () => {
      const q = queue()
      const area = split ? q.ring.driver : q.ring.desc
      q.space.hole = { from: area.address, to: area.address + area.length, errno: EAGAIN }
      expect(q.device.enableNotification()).toBe(EAGAIN)
      expect(q.device.broken).toBeNull()
    })
  })
})
