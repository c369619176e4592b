import { EAGAIN, ENOMEM, isVringError } from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MmuNotifierOps } from './mmu-notifier.ts'
import { MmuNotifierList } from './mmu-notifier-list.ts'
import type { MmuNotifierRange } from './mmu-notifier-range.ts'

const page = (start: number, blockable = true): MmuNotifierRange => ({
  start,
  end: start + 4096,
  event: 'unmap',
  blockable,
})

/** Counts open invalidations as a driver would, and writes down every call. */
function counter(name: string, log: string[] = [], answer: (range: MmuNotifierRange) => number = () => 0) {
  const ops: MmuNotifierOps & { count: number; released: number } = {
    name,
    count: 0,
    released: 0,
    invalidateRangeStart(range) {
      log.push(`${name}:start`)
      const status = answer(range)
      if (status === 0) ops.count++
      return status
    },
    invalidateRangeEnd() {
      log.push(`${name}:end`)
      ops.count--
    },
    release() {
      ops.released++
    },
  }
  return ops
}

const codeOf = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    if (isVringError(error)) return error.code
    throw error
  }
  return 'no error'
}

describe('MmuNotifierList', () => {
  it('tells start and end to every listener, the newest first', () => {
    const list = new MmuNotifierList()
    const log: string[] = []
    list.register(counter('old', log))
    list.register(counter('new', log))
    const range = page(0)
    expect(list.invalidateRangeStart(range)).toBe(0)
    list.invalidateRangeEnd(range)
    expect(log).toEqual(['new:start', 'old:start', 'new:end', 'old:end'])
  })

  it('M26: ranges nest and run in parallel; every listener sees as many ends as starts', () => {
    const list = new MmuNotifierList()
    const listener = counter('a')
    list.register(listener)
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 60 }), (steps) => {
        const open = new Map<number, MmuNotifierRange>()
        for (const step of steps) {
          const range = open.get(step)
          if (range === undefined) {
            const fresh = page(4096 * step)
            open.set(step, fresh)
            list.invalidateRangeStart(fresh)
          } else {
            open.delete(step)
            list.invalidateRangeEnd(range)
          }
          expect(listener.count).toBe(open.size)
          expect(list.openCount).toBe(open.size)
        }
        for (const range of open.values()) list.invalidateRangeEnd(range)
        expect(listener.count).toBe(0)
      }),
      { numRuns: 50 },
    )
  })

  it('a blockable invalidation succeeds although a listener refuses, and names the listener', () => {
    const list = new MmuNotifierList()
    list.register(counter('stubborn', [], () => EAGAIN))
    const range = page(0)
    expect(list.invalidateRangeStart(range)).toBe(0)
    list.invalidateRangeEnd(range)
    const fault = list.takeFault()
    expect(fault?.code).toBe('ERR_NOTIFIER')
    expect(fault?.message).toContain('stubborn')
    expect(list.takeFault()).toBeNull()
  })

  it('M11 under the rule of 2019: after a refusal no listener is told the end, not even one that started', () => {
    const list = new MmuNotifierList({ endRule: '2019' })
    const willing = counter('willing')
    const busy = counter('busy', [], () => EAGAIN)
    list.register(willing)
    list.register(busy)
    const range = page(0, false)
    expect(list.invalidateRangeStart(range)).toBe(EAGAIN)
    expect([willing.count, busy.count]).toEqual([1, 0])
    expect(codeOf(() => list.invalidateRangeEnd(range))).toBe('ERR_INVALID_STATE')
  })

  it('M11 under the rule of 6.18: after a refusal every listener is told the end, also the one that refused', () => {
    const list = new MmuNotifierList({ endRule: '6.18' })
    const willing = counter('willing')
    const busy = counter('busy', [], () => EAGAIN)
    list.register(willing)
    list.register(busy)
    expect(list.invalidateRangeStart(page(0, false))).toBe(EAGAIN)
    expect([willing.count, busy.count]).toEqual([0, -1])
    expect(list.openCount).toBe(0)
  })

  it('takes any other refusal of a non-blockable range as -EAGAIN and names the listener', () => {
    const list = new MmuNotifierList()
    list.register(counter('liar', [], () => ENOMEM))
    expect(list.invalidateRangeStart(page(0, false))).toBe(EAGAIN)
    expect(list.takeFault()?.message).toContain('liar')
  })

  it('M1: a registration that fails throws ERR_NOTIFIER and leaves the list as it was', () => {
    let errno = ENOMEM
    const list = new MmuNotifierList({ admit: () => errno })
    expect(codeOf(() => list.register(counter('a')))).toBe('ERR_NOTIFIER')
    expect(list.size).toBe(0)
    errno = 0
    const unregister = list.register(counter('a'))
    expect(list.size).toBe(1)
    unregister()
    unregister()
    expect(list.size).toBe(0)
  })

  it('M2: a listener that unregisters inside an invalidation is not told its end', () => {
    const list = new MmuNotifierList()
    const listener = counter('a')
    const unregister = list.register(listener)
    const range = page(0)
    list.invalidateRangeStart(range)
    unregister()
    list.invalidateRangeEnd(range)
    expect(listener.count).toBe(1)
  })

  it('M2: a listener that registers inside an invalidation is told of it at once, and its end', () => {
    const list = new MmuNotifierList()
    const range = page(0)
    list.invalidateRangeStart(range)
    const listener = counter('late')
    list.register(listener)
    expect(listener.count).toBe(1)
    list.invalidateRangeEnd(range)
    expect(listener.count).toBe(0)
  })

  it('a listener that refuses a range open at its registration is not registered, and owes nothing', () => {
    const list = new MmuNotifierList()
    const blockable = page(0)
    const nonBlockable = page(4096, false)
    list.invalidateRangeStart(blockable)
    list.invalidateRangeStart(nonBlockable)
    const listener = counter('late', [], (range) => (range.blockable ? 0 : EAGAIN))
    expect(codeOf(() => list.register(listener))).toBe('ERR_NOTIFIER')
    expect(list.size).toBe(0)
    list.invalidateRangeEnd(blockable)
    list.invalidateRangeEnd(nonBlockable)
    expect(listener.count).toBe(0)
  })

  it('a callback that throws is contained, named, and the others are told', () => {
    const list = new MmuNotifierList()
    const log: string[] = []
    list.register(counter('fine', log))
    list.register({
      name: 'thrower',
      invalidateRangeStart: () => {
        throw new TypeError('boom')
      },
      invalidateRangeEnd: () => {
        throw new TypeError('boom again')
      },
      release: () => {
        throw new TypeError('boom at the end')
      },
    })
    const range = page(0)
    expect(list.invalidateRangeStart(range)).toBe(0)
    list.invalidateRangeEnd(range)
    expect(log).toEqual(['fine:start', 'fine:end'])
    list.release()
    expect(list.faults.map((fault) => fault.value)).toEqual(['thrower', 'thrower', 'thrower'])
    expect(list.faultCount).toBe(3)
  })

  it('a callback may unregister another listener in mid-walk', () => {
    const list = new MmuNotifierList()
    const victim = counter('victim')
    const unregister = list.register(victim)
    list.register({
      name: 'killer',
      invalidateRangeStart: () => {
        unregister()
        return 0
      },
      invalidateRangeEnd() {},
    })
    const range = page(0)
    list.invalidateRangeStart(range)
    list.invalidateRangeEnd(range)
    expect(victim.count).toBe(0)
    expect(list.size).toBe(1)
  })

  it('refuses a double start, a double end, an end without start and an empty range', () => {
    const list = new MmuNotifierList()
    const range = page(0)
    expect(codeOf(() => list.invalidateRangeEnd(range))).toBe('ERR_INVALID_STATE')
    list.invalidateRangeStart(range)
    expect(codeOf(() => list.invalidateRangeStart(range))).toBe('ERR_INVALID_STATE')
    list.invalidateRangeEnd(range)
    expect(codeOf(() => list.invalidateRangeEnd(range))).toBe('ERR_INVALID_STATE')
    for (const [start, end] of [
      [4096, 4096],
      [8192, 4096],
      [-4096, 0],
      [0, 2 ** 54],
      [Number.NaN, 1],
    ] as const)
      expect(codeOf(() => list.invalidateRangeStart({ ...range, start, end }))).toBe('ERR_INVALID_ARGUMENT')
  })

  it('release tells every listener once and admits no more', () => {
    const list = new MmuNotifierList()
    const listener = counter('a')
    const unregister = list.register(listener)
    list.release()
    list.release()
    unregister()
    expect(listener.released).toBe(1)
    expect(codeOf(() => list.register(listener))).toBe('ERR_NOTIFIER')
  })

  it('refuses an unknown end rule', () => {
    expect(codeOf(() => new MmuNotifierList({ endRule: '5.0' as '2019' }))).toBe('ERR_INVALID_ARGUMENT')
  })
})
