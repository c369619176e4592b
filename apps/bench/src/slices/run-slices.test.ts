import { describe, expect, it } from 'vitest'
import { readArguments } from '../arguments.ts'
import { run } from '../commands/run.ts'
import { DEFAULT_BOUNDS } from '../placement/classes.ts'
import { isVirtual } from '../placement/core-watch.ts'
import { readCores } from '../placement/read-cores.ts'
import { seededRandom } from '../stats/index.ts'
import { runSlices, type SliceOptions } from './run-slices.ts'
import type { Sitting, SliceCount } from './slice.ts'
import { SlicePair } from './slice-pair.ts'
import { readSliceTimes } from './slice-times.ts'

/** Processes whose slices take no time, on cores whose round trips are told. */
class MadeSitting implements Sitting {
  readonly label: string
  failure: string | null = null
  readonly #log: string[]
  readonly #failsAt: number
  #slices = 0

  constructor(label: string, log: string[], failsAt = Number.POSITIVE_INFINITY) {
    this.label = label
    this.#log = log
    this.#failsAt = failsAt
  }

  async connect(): Promise<void> {
    this.#log.push(`${this.label} sits`)
  }

  async close(): Promise<void> {
    this.#log.push(`${this.label} rises`)
  }

  async run(): Promise<SliceCount | null> {
    this.#log.push(this.label)
    if (this.#slices++ >= this.#failsAt) {
      this.failure = 'packets stopped'
      return null
    }
    return { packets: 1000, seconds: 0.1 }
  }
}

function made(label: string, log: string[], failsAt = Number.POSITIVE_INFINITY): SlicePair {
  return new SlicePair(() => new MadeSitting(label, log, failsAt))
}

function options(more: Partial<SliceOptions>, trips: Iterator<number | null>): SliceOptions {
  return {
    durationMs: 100,
    needed: 3,
    roundsASitting: 1000,
    patienceMs: 60_000,
    bounds: DEFAULT_BOUNDS,
    moves: true,
    roundTrip: async () => ({ ns: trips.next().value ?? null }),
    random: seededRandom(1),
    signal: new AbortController().signal,
    progress: () => {},
    ...more,
  }
}

function* always(ns: number | null): Generator<number | null> {
  for (;;) yield ns
}
/** Each value for some measurements. */
function* inTurn(values: readonly number[], times: number): Generator<number> {
  for (;;) for (const value of values) for (let i = 0; i < times; i++) yield value
}

describe('slices', () => {
  it('run A B B A, each pair once a round, until every class has what a row needs', async () => {
    const log: string[] = []
    const pairs = [made('a', log), made('b', log)]
    await runSlices(pairs, options({}, inTurn([57, 130, 350], 4)))
    for (const { slices } of pairs)
      for (const place of ['near', 'between', 'far'])
        expect(slices.filter((slice) => slice.class === place).length).toBeGreaterThanOrEqual(3)
    // A run may end between a round and its reverse.
    for (let at = 0; at + 3 < log.length; at += 4) expect([log[at], log[at + 1]]).toEqual([log[at + 3], log[at + 2]])
    expect(pairs[0]!.slices.map(({ round }) => round)).toEqual(pairs[0]!.slices.map((_, index) => index))
  })

  it('a class that does not occur is waited for as long as the patience is, and not longer', async () => {
    const pair = made('a', [])
    const started = performance.now()
    await runSlices([pair], options({ patienceMs: 30 }, always(57)))
    expect(performance.now() - started).toBeGreaterThanOrEqual(30)
    expect(new Set(pair.slices.map((slice) => slice.class))).toEqual(new Set(['near']))
    const impatient = made('a', [])
    await runSlices([impatient], options({ patienceMs: 0 }, always(57)))
    expect(impatient.slices).toHaveLength(3)
  })

  it('nothing is waited for where cores are not moved, or nothing can be told of them', async () => {
    const [bare, blind] = [made('a', []), made('b', [])]
    await runSlices([bare], options({ moves: false }, always(130)))
    await runSlices([blind], options({}, always(null)))
    expect(bare.slices.map((slice) => slice.class)).toEqual(['between', 'between', 'between'])
    expect(blind.slices.map((slice) => slice.class)).toEqual(['unknown', 'unknown', 'unknown'])
  })

  it('a pair that fails takes no further part, and the others go on', async () => {
    const log: string[] = []
    const [good, bad] = [made('good', log), made('bad', log, 1)]
    await runSlices([good, bad], options({ patienceMs: 0 }, always(57)))
    expect([good.slices.length, bad.slices.length, bad.failure]).toEqual([3, 1, 'packets stopped'])
    expect(log.filter((label) => label === 'bad')).toHaveLength(2)
  })

  it('are of several sittings: after some rounds every pair is closed and connected again, but one that failed', async () => {
    const log: string[] = []
    const [good, bad] = [made('good', log), made('bad', log, 1)]
    await runSlices([good, bad], options({ needed: 5, roundsASitting: 2, patienceMs: 0 }, always(57)))
    expect(good.slices.map(({ sitting }) => sitting)).toEqual([0, 0, 1, 1, 2])
    expect(bad.slices.map(({ sitting }) => sitting)).toEqual([0])
    expect(log.filter((line) => line.includes(' '))).toEqual(
      Array.from({ length: 2 }, () => ['good rises', 'good sits']).flat(),
    )
  })

  it('Ctrl-C ends them, with those that ran', async () => {
    const stop = new AbortController()
    const pair = made('a', [])
    const progress = (): void => {
      if (pair.slices.length === 2) stop.abort()
    }
    await runSlices([pair], options({ signal: stop.signal, progress }, always(57)))
    expect(pair.slices.length).toBeLessThanOrEqual(3)
  })
})

describe('arguments of slices', () => {
  const times = (args: string[], smoke = false): object => readSliceTimes(readArguments(run.args, args), smoke)

  it('are 20 a class of 100 ms, and five minutes of patience; a longer trial is several slices', () => {
    expect(times([])).toEqual({ sliceMs: 100, needed: 20, roundsASitting: 10, patienceMs: 300_000 })
    expect(times([], true)).toEqual({ sliceMs: 50, needed: 3, roundsASitting: 3, patienceMs: 0 })
    expect(times(['--trials', '5', '--duration-ms', '1000'])).toMatchObject({ sliceMs: 200, needed: 25 })
    expect(times(['--duration-ms', '10'])).toMatchObject({ sliceMs: 50, needed: 20 })
    expect(times(['--patience', '90'])).toMatchObject({ patienceMs: 90_000 })
    expect(times(['--patience', '2min'])).toMatchObject({ patienceMs: 120_000 })
    expect(() => times(['--patience', 'long'])).toThrow('--patience: "long" is not accepted')
  })

  it('--cores are two CPUs of this process; without two there are none, or the run ends with 4', () => {
    const cores = (args: string[], cpus: number[], needed = true) =>
      readCores(readArguments(run.args, args), needed, cpus)
    expect(cores([], [2, 3, 4])).toEqual([2, 3])
    expect(cores(['--cores', '4,2'], [2, 3, 4])).toEqual([4, 2])
    expect(() => cores(['--cores', '0,2'], [2, 3, 4])).toThrow('--cores: CPU 0 is not one of this process')
    expect(() => cores(['--cores', '2'], [2, 3])).toThrow('accepted: two CPUs')
    expect(cores([], [0], false)).toBeNull()
    expect(() => cores([], [0])).toThrow('a second CPU is missing')
  })

  it('a hypervisor is what moves CPUs', () => {
    expect(isVirtual('flags\t\t: fpu vme hypervisor lahf_lm\n')).toBe(true)
    expect(isVirtual('flags\t\t: fpu vme lahf_lm\n')).toBe(false)
    expect(isVirtual('Features\t: fp asimd\n')).toBe(true)
  })
})
