import { Cell } from '@vring/mmu-notifier'
import { describe, expect, it } from 'vitest'
import { explore } from './explore.ts'
import { ExploringPort } from './exploring-port.ts'
import { parseLitmus } from './litmus/litmus-program.ts'
import { litmusOutcomes, litmusScenario } from './litmus/litmus-scenario.ts'
import type { Scenario } from './scenario.ts'

const LONG = 60

/** A bug of one ordering constraint: the first thread has not begun when the second, a long one, ends. */
const lateStart: Scenario = {
  name: 'late-start',
  description: 'one thread ends before the other has begun',
  prepare: (world) => {
    const port = new ExploringPort(world)
    const begun = new Cell('begun', false)
    const counts = [new Cell('count of a', 0), new Cell('count of b', 0)]
    const work = (thread: number): void => {
      for (let step = 1; step <= LONG; step++) port.store(counts[thread]!, step)
    }
    return {
      threads: [
        {
          name: 'a',
          run: () => {
            port.store(begun, true)
            work(0)
          },
        },
        {
          name: 'b',
          run: () => {
            work(1)
            if (!port.load(begun)) world.fail('stale-entry', 'a has not begun')
          },
        },
      ],
    }
  },
}

/** A bug of two: a long thread is interrupted between two neighbouring steps by one that runs to its end. */
const narrowWindow: Scenario = {
  name: 'narrow-window',
  description: 'a whole thread runs between two steps of another',
  prepare: (world) => {
    const port = new ExploringPort(world)
    const open = new Cell('open', false)
    const seen = new Cell('seen', 0)
    const count = new Cell('count', 0)
    return {
      threads: [
        {
          name: 'a',
          run: () => {
            for (let step = 1; step <= LONG; step++) port.store(count, step)
            port.store(open, true)
            port.store(open, false)
          },
        },
        {
          name: 'b',
          run: () => {
            for (let look = 1; look <= 20; look++) if (port.load(open)) port.store(seen, look)
            if (port.load(seen) === 20) world.fail('stale-entry', 'open at the last look')
          },
        },
      ],
    }
  },
}

describe('probabilistic concurrency testing', () => {
  it('finds a bug of one constraint in every second schedule or so, where uniform choice does not in a thousand', () => {
    const random = { seed: 1, schedules: 1000 }
    expect(explore(lateStart, { random }).finding).toBeNull()
    const { finding, schedules } = explore(lateStart, { random: { ...random, strategy: 'pct', depth: 1 } })
    expect(finding?.kind).toBe('stale-entry')
    expect(schedules).toBeLessThan(10)
  })

  it('finds a bug of two constraints about as often as its bound says, with a change of priority and not without', () => {
    const rate = (depth: number): number => {
      let found = 0
      for (let seed = 0; seed < 2000; seed++)
        if (explore(narrowWindow, { random: { seed, schedules: 1, strategy: 'pct', depth } }).finding !== null) found++
      return found / 2000
    }
    const steps = LONG + 2 + 20 + 1
    expect(rate(1)).toBe(0)
    expect(rate(2)).toBeGreaterThan(0.5 / (2 * steps))
  })

  it('repeats a finding by its seed', () => {
    const random = { seed: 1, schedules: 1000, strategy: 'pct', depth: 1 } as const
    const { finding } = explore(lateStart, { random })
    const again = explore(lateStart, { random: { ...random, seed: finding!.seed!, schedules: 1 } }).finding
    expect(again!.schedule).toEqual(finding!.schedule)
  })

  it('lets store buffers drain late: both threads of store buffering load 0', () => {
    const program = parseLitmus('x=1; r0=y || y=1; r1=x')
    const { outcomes } = explore(litmusScenario(program), {
      memoryModel: 'tso',
      random: { seed: 1, schedules: 200, strategy: 'pct', depth: 2 },
    })
    expect(outcomes.map(({ state }) => state)).toEqual(litmusOutcomes(program, 'tso'))
    expect(outcomes.reduce((sum, { schedules }) => sum + schedules, 0)).toBe(200)
  })
})
