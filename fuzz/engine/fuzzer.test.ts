import { describe, expect, test } from 'vitest'
import { parseDuration } from '../duration.ts'
import { EdgeMap } from './edge-map.ts'
import { fuzz } from './fuzzer.ts'
import { Mutator } from './mutator.ts'
import type { FuzzTarget } from './target.ts'

/** Fails on an input that begins with a word; each right byte passes an edge of its own. */
function lockedBy(word: string, map: EdgeMap, counted: boolean): FuzzTarget {
  return {
    name: 'lock',
    description: 'a word, a byte at a time',
    unit: 'tries',
    seeds: [new Uint8Array(8)],
    maxBytes: 64,
    run(input) {
      for (let at = 0; at < word.length; at++) {
        if (input[at] !== word.charCodeAt(at)) return 1
        if (counted) map.counters[at]!++
      }
      throw new Error(`opened by ${word}`)
    },
  }
}

describe('fuzzing', () => {
  const limits = { seed: 1, timeMs: 60_000, executions: 1_000_000 }

  test('finds its way by edges: a word of four bytes is found by one byte after the other', async () => {
    const map = new EdgeMap(4)
    const { failure, edges, corpus } = await fuzz(lockedBy('vho!', map, true), map, [], limits)
    expect(String(failure?.error)).toContain('opened by vho!')
    expect(edges).toBeGreaterThanOrEqual(3)
    expect(corpus.length).toBeGreaterThanOrEqual(3)
  })

  test('and does not without them', async () => {
    const map = new EdgeMap(4)
    const { failure, executions } = await fuzz(lockedBy('vho!', map, false), map, [], {
      ...limits,
      executions: 200_000,
    })
    expect(failure).toBeNull()
    expect(executions).toBe(200_000)
  })

  test('a seed repeats a run', async () => {
    const run = async (seed: number): Promise<string> => {
      const map = new EdgeMap(4)
      const { failure } = await fuzz(lockedBy('vho', map, true), map, [], { ...limits, seed })
      return Buffer.from(failure!.input).toString('hex')
    }
    expect(await run(7)).toBe(await run(7))
    expect(await run(7)).not.toBe(await run(8))
  })

  test('an input is new by an edge that none passed, or that none passed so often; not by one that was passed less exactly', () => {
    const map = new EdgeMap(3)
    const passes = (edge: number, count: number): boolean => {
      map.counters[edge] = count
      return map.take()
    }
    expect([passes(0, 1), passes(0, 1), passes(0, 2), passes(0, 9), passes(0, 10), passes(2, 1)]).toEqual([
      true,
      false,
      true,
      true,
      false,
      true,
    ])
    expect(map.covered).toBe(2)
    expect([...map.counters.subarray(0, 3)]).toEqual([0, 0, 0])
  })

  test('changes keep the limit of an input, and leave the original alone', () => {
    const mutator = new Mutator(3, [new Uint8Array([1, 2, 3])], 32)
    const input = new Uint8Array(16).fill(7)
    for (let round = 0; round < 2000; round++)
      expect(mutator.mutate(input, new Uint8Array(100)).length).toBeLessThanOrEqual(32)
    expect([...input]).toEqual(new Array(16).fill(7))
  })
})

describe('--time', () => {
  test('is a number with its unit', () => {
    expect(['500ms', '5s', '10m', '1h'].map(parseDuration)).toEqual([500, 5000, 600_000, 3_600_000])
    for (const text of ['5', 's', '1.5h', '-1s', '1 h']) expect(() => parseDuration(text)).toThrow('--time is')
  })
})
