import { EAGAIN, EINVAL } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import type { IntervalNotifier, IntervalNotifierOps } from './interval-notifier.ts'
import { IntervalNotifierTree } from './interval-notifier-tree.ts'
import { MmuNotifierList } from './mmu-notifier-list.ts'
import type { MmuNotifierRange } from './mmu-notifier-range.ts'

const range = (start: number, end: number, blockable = true): MmuNotifierRange => ({
  start,
  end,
  event: 'clear',
  blockable,
})

function listener(): IntervalNotifierOps & { calls: number } {
  return {
    name: 'test',
    calls: 0,
    invalidate(interval, _range, seq) {
      this.calls++
      interval.setSeq(seq)
      return true
    },
  }
}

const noFault = (error: unknown): never => {
  throw error
}

describe('IntervalNotifierTree', () => {
  it('an undisturbed read side needs no retry', () => {
    const tree = new IntervalNotifierTree()
    const interval = tree.insert(0x1000, 0x1000, listener())
    const seq = tree.readBegin(interval)
    expect(seq).toBeGreaterThanOrEqual(0)
    expect(tree.readRetry(interval, seq)).toBe(false)
  })

  it('the sequence is odd while an invalidation that hits runs, and readers retry afterwards', () => {
    const tree = new IntervalNotifierTree()
    const ops = listener()
    const interval = tree.insert(0x1000, 0x1000, ops)
    const seq = tree.readBegin(interval)
    tree.invalidateStart(range(0x1800, 0x9000), noFault)
    expect(tree.seq & 1).toBe(1)
    expect(tree.readBegin(interval)).toBe(EAGAIN)
    expect(tree.readRetry(interval, seq)).toBe(true)
    tree.invalidateEnd()
    expect(tree.seq & 1).toBe(0)
    const again = tree.readBegin(interval)
    expect(tree.readRetry(interval, again)).toBe(false)
    expect(ops.calls).toBe(1)
  })

  it('M23: adjacent ranges do not overlap', () => {
    const tree = new IntervalNotifierTree()
    const ops = listener()
    tree.insert(0x1000, 0x1000, ops)
    tree.invalidateStart(range(0, 0x1000), noFault)
    tree.invalidateStart(range(0x2000, 0x3000), noFault)
    expect(ops.calls).toBe(0)
    expect(tree.isInvalidating).toBe(false)
    tree.invalidateStart(range(0x1fff, 0x2000), noFault)
    expect(ops.calls).toBe(1)
  })

  it('M26: parallel invalidations: the sequence moves on with the last end', () => {
    const tree = new IntervalNotifierTree()
    const interval = tree.insert(0x1000, 0x1000, listener())
    tree.invalidateStart(range(0x1000, 0x2000), noFault)
    tree.invalidateStart(range(0x1000, 0x2000), noFault)
    tree.invalidateEnd()
    expect(tree.readBegin(interval)).toBe(EAGAIN)
    tree.invalidateEnd()
    expect(tree.readBegin(interval)).toBeGreaterThanOrEqual(0)
  })

  it('an insertion during an invalidation that hit is deferred, and its readers wait', () => {
    const tree = new IntervalNotifierTree()
    tree.insert(0x1000, 0x1000, listener())
    tree.invalidateStart(range(0x1000, 0x2000), noFault)
    const late = tree.insert(0x8000, 0x1000, listener())
    expect(tree.size).toBe(1)
    expect(tree.readBegin(late)).toBe(EAGAIN)
    tree.invalidateEnd()
    expect(tree.size).toBe(2)
    expect(tree.readBegin(late)).toBeGreaterThanOrEqual(0)
  })

  it('an insertion during an invalidation that hit nothing is at once, and its readers wait', () => {
    const tree = new IntervalNotifierTree()
    tree.invalidateStart(range(0x1000, 0x2000), noFault)
    const late = tree.insert(0x1000, 0x1000, listener())
    expect(tree.size).toBe(1)
    expect(tree.readBegin(late)).toBe(EAGAIN)
    tree.invalidateEnd()
    expect(tree.readBegin(late)).toBeGreaterThanOrEqual(0)
  })

  it('a removal during an invalidation takes effect at its end', () => {
    const tree = new IntervalNotifierTree()
    const interval = tree.insert(0x1000, 0x1000, listener())
    tree.invalidateStart(range(0x1000, 0x2000), noFault)
    expect(tree.remove(interval)).toBe(EAGAIN)
    expect(tree.remove(interval)).toBe(EAGAIN)
    tree.invalidateEnd()
    expect(tree.size).toBe(0)
    expect(tree.remove(interval)).toBe(EINVAL)
  })

  it('a deferred insertion that is removed never happens', () => {
    const tree = new IntervalNotifierTree()
    tree.insert(0x1000, 0x1000, listener())
    tree.invalidateStart(range(0x1000, 0x2000), noFault)
    const late = tree.insert(0x1000, 0x1000, listener())
    expect(tree.remove(late)).toBe(0)
    tree.invalidateEnd()
    expect(tree.size).toBe(1)
  })

  it('a removed interval is called no more, and a foreign one is refused', () => {
    const tree = new IntervalNotifierTree()
    const ops = listener()
    const interval = tree.insert(0x1000, 0x1000, ops)
    expect(tree.remove(interval)).toBe(0)
    tree.invalidateStart(range(0x1000, 0x2000), noFault)
    tree.invalidateEnd()
    expect(ops.calls).toBe(0)
    expect(tree.remove({ ...interval } as IntervalNotifier)).toBe(EINVAL)
  })

  it('a callback that would wait makes a non-blockable invalidation fail, and it is not open', () => {
    const list = new MmuNotifierList()
    const told: string[] = []
    list.register({
      name: 'list',
      invalidateRangeStart: () => {
        told.push('start')
        return 0
      },
      invalidateRangeEnd() {},
    })
    const interval = list.intervals.insert(0x1000, 0x1000, { name: 'busy', invalidate: () => false })
    expect(list.invalidateRangeStart(range(0x1000, 0x2000, false))).toBe(EAGAIN)
    expect(told).toEqual([])
    expect(list.openCount).toBe(0)
    expect(list.intervals.isInvalidating).toBe(false)
    expect(list.intervals.readBegin(interval)).toBeGreaterThanOrEqual(0)
  })

  it('a callback that throws or refuses a blockable range is named, and its readers retry all the same', () => {
    for (const invalidate of [
      () => false,
      () => {
        throw new TypeError('boom')
      },
    ]) {
      const list = new MmuNotifierList()
      const interval = list.intervals.insert(0x1000, 0x1000, { name: 'culprit', invalidate })
      const seq = list.intervals.readBegin(interval)
      const open = range(0x1000, 0x2000)
      expect(list.invalidateRangeStart(open)).toBe(0)
      expect(list.intervals.readRetry(interval, seq)).toBe(true)
      list.invalidateRangeEnd(open)
      expect(list.takeFault()?.value).toBe('culprit')
    }
  })

  it('refuses empty and wrapping intervals and an end without start', () => {
    const tree = new IntervalNotifierTree()
    expect(() => tree.insert(0, 0, listener())).toThrow(/length/)
    expect(() => tree.insert(Number.MAX_SAFE_INTEGER, 1, listener())).toThrow(/length/)
    expect(() => tree.insert(-1, 1, listener())).toThrow(/start/)
    expect(() => tree.invalidateEnd()).toThrow(/open/)
  })
})
