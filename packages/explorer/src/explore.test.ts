import * as parts from '@vring/accessor'
import { Cell, Lock } from '@vring/mmu-notifier'
import { describe, expect, it } from 'vitest'
import { explore } from './explore.ts'
import type { ExploredWorld } from './explored-world.ts'
import { ExploringPort } from './exploring-port.ts'
import { formatTimeline } from './format-timeline.ts'
import { parseLitmus } from './litmus/litmus-program.ts'
import { hasOutcome, litmusScenario } from './litmus/litmus-scenario.ts'
import type { PreparedScenario, Scenario } from './scenario.ts'
import { migrateDuringRound } from './scenarios/index.ts'

function scenario(prepare: (port: ExploringPort, world: ExploredWorld) => PreparedScenario): Scenario {
  return { name: 'test', description: 'a test', prepare: (world) => prepare(new ExploringPort(world), world) }
}

/** Two threads each store their own variable, then load the other's. Both may load 0 only if loads overtake stores. */
const storeBuffering = (fenced: boolean): Scenario =>
  scenario((port, world) => {
    const cells = [new Cell('x', 0), new Cell('y', 0)]
    const seen = [new Cell('saw y', -0), new Cell('saw x', -0)]
    const thread =
      (own: number): (() => void) =>
      () => {
        port.store(cells[own]!, 1)
        if (fenced) port.mb()
        port.store(seen[own]!, 1 + port.load(cells[1 - own]!))
      }
    return {
      threads: [
        { name: 'a', run: thread(0) },
        { name: 'b', run: thread(1) },
      ],
      finish: () => {
        if (seen.every((cell) => port.load(cell) === 1)) world.fail('stale-entry', 'both saw 0')
      },
    }
  })

/** One thread stores data, then a flag; the other loads the flag, then data. */
const messagePassing = (release: boolean, acquire: boolean): Scenario =>
  scenario((port, world) => {
    const data = new Cell('data', 0)
    const flag = new Cell('flag', 0)
    return {
      threads: [
        {
          name: 'writer',
          run: () => {
            port.store(data, 1)
            if (release) port.storeRelease(flag, 1)
            else port.store(flag, 1)
          },
        },
        {
          name: 'reader',
          run: () => {
            const set = acquire ? port.loadAcquire(flag) : port.load(flag)
            if (set === 1 && port.load(data) === 0)
              world.fail('stale-entry', 'the flag is set and the data is not there')
          },
        },
      ],
    }
  })

const finds = (one: Scenario, memoryModel: 'sc' | 'tso' | 'weak'): boolean => {
  const { finding, exhausted } = explore(one, { memoryModel })
  expect(exhausted).toBe(finding === null)
  return finding !== null
}

describe('memory models', () => {
  it('sc: no load overtakes a store', () => {
    expect(finds(storeBuffering(false), 'sc')).toBe(false)
  })

  it('tso: a load overtakes an earlier store, a full barrier forbids it', () => {
    expect(finds(storeBuffering(false), 'tso')).toBe(true)
    expect(finds(storeBuffering(true), 'tso')).toBe(false)
    expect(finds(storeBuffering(true), 'weak')).toBe(false)
  })

  it('tso: stores stay in order, and loads do', () => {
    expect(finds(messagePassing(false, false), 'tso')).toBe(false)
  })

  it('weak: passing a message takes a release and an acquire', () => {
    expect(finds(messagePassing(false, true), 'weak')).toBe(true)
    expect(finds(messagePassing(true, false), 'weak')).toBe(true)
    expect(finds(messagePassing(true, true), 'weak')).toBe(false)
  })
})

/** Two threads add one without a lock, or under one. */
const twoAdds = (locked: boolean): Scenario =>
  scenario((port, world) => {
    const sum = new Cell('sum', 0)
    const lock = new Lock('lock')
    const run = (): void => {
      if (locked) port.spinLock(lock)
      port.store(sum, port.load(sum) + 1)
      if (locked) port.spinUnlock(lock)
    }
    return {
      threads: [
        { name: 'a', run },
        { name: 'b', run },
      ],
      finish: () => {
        if (port.load(sum) !== 2) world.fail('used-lost', `the sum is ${port.load(sum)}`)
      },
    }
  })

describe('explore', () => {
  it('finds a lost update by its shortest schedule', () => {
    const { finding } = explore(twoAdds(false))
    expect(finding).toMatchObject({ kind: 'used-lost', message: 'the sum is 1', threads: ['a', 'b'], seed: null })
    expect(finding!.schedule).toHaveLength(4)
    expect(explore(twoAdds(true))).toMatchObject({ finding: null, exhausted: true })
  })

  it('counts the schedules that its states stand for', () => {
    const one = scenario((port) => {
      const cells = [new Cell('x', 0), new Cell('y', 0)]
      const thread = (own: number) => ({
        name: `${own}`,
        run: () => {
          for (let value = 1; value <= 3; value++) port.store(cells[own]!, value)
        },
      })
      return { threads: [thread(0), thread(1)] }
    })
    // Two threads of three steps: 6! / (3! 3!) schedules over 4 x 4 states, an edge to each neighbour.
    expect(explore(one)).toMatchObject({
      finding: null,
      exhausted: true,
      steps: 24,
      states: 16,
      schedules: 20,
      depth: 6,
    })
    expect(explore(one, { preemptions: 0 }).schedules).toBe(2)
  })

  it('a bound on preemptions misses what needs more of them', () => {
    expect(explore(twoAdds(false), { preemptions: 0 })).toMatchObject({ finding: null, exhausted: true })
    expect(explore(twoAdds(false), { preemptions: 1 }).finding?.kind).toBe('used-lost')
  })

  it('a store that becomes visible interrupts no thread: store buffering needs no preemption', () => {
    const late = storeBuffering(false)
    expect(explore(late, { memoryModel: 'tso', preemptions: 0 }).finding?.kind).toBe('stale-entry')
    // Both stores are visible before either thread loads, and none was interrupted: 1 and 1 takes a preemption.
    const { outcomes } = explore(litmusScenario(parseLitmus('x=1; r0=y || y=1; r1=x')), {
      memoryModel: 'tso',
      preemptions: 0,
    })
    expect(outcomes.map(({ state: { r0, r1 } }) => [r0, r1])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ])
  })

  it('a thread that waits for its own stores could go on: to interrupt it is a preemption', () => {
    const fenced = litmusScenario(parseLitmus('x=1; z=1; mb; r0=y || r1=x; r2=z; y=1'))
    const ends = (preemptions: number): boolean =>
      hasOutcome(
        explore(fenced, { memoryModel: 'tso', preemptions }).outcomes.map(({ state }) => state),
        { r0: 1, r1: 1, r2: 0 },
      )
    expect(ends(0)).toBe(false)
    expect(ends(1)).toBe(true)
  })

  it('gives the distinct final states, and how many schedules end so', () => {
    const { outcomes, schedules } = explore(litmusScenario(parseLitmus('x=1; r0=y || y=1; r1=x')))
    expect(outcomes).toEqual([
      { state: { r0: 0, r1: 1, x: 1, y: 1 }, schedules: 1 },
      { state: { r0: 1, r1: 0, x: 1, y: 1 }, schedules: 1 },
      { state: { r0: 1, r1: 1, x: 1, y: 1 }, schedules: 4 },
    ])
    expect(schedules).toBe(6)
  })

  it('reports a deadlock with who waits for what', () => {
    const one = scenario((port) => {
      const locks = [new Lock('first'), new Lock('second')]
      const thread = (own: number) => ({
        name: `t${own}`,
        run: () => {
          port.mutexLock(locks[own]!)
          port.mutexLock(locks[1 - own]!)
          port.mutexUnlock(locks[1 - own]!)
          port.mutexUnlock(locks[own]!)
        },
      })
      return { threads: [thread(0), thread(1)] }
    })
    expect(explore(one).finding).toMatchObject({
      kind: 'deadlock',
      message: 't0 waits for got second; t1 waits for got first',
    })
  })

  it('a thread that is there to access a ring, and never did, is a finding: nothing was shown', () => {
    const idle = scenario(() => ({ threads: [{ name: 'datapath', accesses: true, run: () => {} }] }))
    expect(explore(idle).finding).toMatchObject({ kind: 'not-reached', message: expect.stringContaining('datapath') })
    const random = explore(idle, { random: { seed: 1, schedules: 2 } })
    expect(random.finding?.kind).toBe('not-reached')
    const round = explore(migrateDuringRound({ parts, sync: 'spinlock' }))
    expect(round.finding).toBeNull()
    expect(round.accesses.mapped).toBeGreaterThan(0)
    expect(round.accesses.user).toBeGreaterThan(0)
  })

  it('an error in a thread is a finding, not a crash', () => {
    const one = scenario((port) => {
      const cell = new Cell('x', 0)
      const broken = (): void => {
        if (port.load(cell) === 1) throw new Error('x is 1')
      }
      return {
        threads: [
          { name: 'a', run: () => port.store(cell, 1) },
          { name: 'b', run: broken },
        ],
      }
    })
    expect(explore(one).finding).toMatchObject({ kind: 'exception', message: 'x is 1' })
  })

  it('random schedules find it too, and their seed repeats them', () => {
    const first = explore(twoAdds(false), { random: { seed: 1, schedules: 1000 } })
    expect(first.finding?.kind).toBe('used-lost')
    const again = explore(twoAdds(false), { random: { seed: first.finding!.seed!, schedules: 1 } })
    expect(again.finding!.schedule).toEqual(first.finding!.schedule)
    expect(formatTimeline(again.finding!)).toContain(`seed ${first.finding!.seed}`)
  })

  it('random schedules of the shipped default find nothing', () => {
    const one = migrateDuringRound({ parts, sync: 'spinlock' })
    const { finding, schedules } = explore(one, { memoryModel: 'weak', random: { seed: 7, schedules: 300 } })
    expect(finding).toBeNull()
    expect(schedules).toBe(300)
  })

  it('gives up where it was told to, and says so', () => {
    const result = explore(migrateDuringRound({ parts, sync: 'spinlock' }), { maxStates: 100 })
    expect(result.exhausted).toBe(false)
    expect(result.finding).toBeNull()
  })

  it('a timeline has a column a thread and a line a step', () => {
    const { finding } = explore(twoAdds(false))
    expect(formatTimeline(finding!, 10)).toBe(
      [
        '   a           b',
        '   ──────────  ──────────',
        '1  sum → 0',
        '2              sum → 0',
        '3  sum := 1',
        '4              sum := 1',
        '   ──────────  ──────────',
        'used-lost: the sum is 1; memory model sc',
      ].join('\n'),
    )
  })
})
