import { expect, it } from 'vitest'
import { makeCell } from '../cell-spec.ts'
import type { CellOutcome } from './group-outcome.ts'
import { hashDisagreements } from './hash-check.ts'

function outcome(name: string, trials: string[], hash: string | null, lapHash = 'laps'): CellOutcome {
  const spec = makeCell({ name, options: {} }, null, {})
  const counts = { steps: {}, payloadSteps: {}, accesses: {}, residentBytes: 0 }
  return {
    spec,
    trials: trials.map((of) => {
      return { type: 'trial', packets: 1, seconds: 1, hash: of, nsPerPacket: { median: 1, p99: 1 } }
    }),
    finish: hash === null ? null : { type: 'finished', hash, lapHash, ...counts },
    counted: null,
    slices: null,
    features: null,
    failure: hash === null ? 'it has a reason' : null,
  }
}

it('agreeing cells, the floor and one that failed beside them are no disagreement', () => {
  const floor = outcome('baseline', ['laps'], '')
  expect(hashDisagreements([outcome('a', ['laps', 'laps'], 'h'), outcome('b', ['laps'], 'h'), floor])).toEqual([])
  expect(hashDisagreements([outcome('a', ['laps'], 'h'), outcome('b', [], null)])).toEqual([])
})

it('names the cell and what it differs in: its result, its laps, or one of its trials', () => {
  const lines = (other: CellOutcome): string[] => hashDisagreements([outcome('a', ['laps'], 'h'), other])
  expect(lines(outcome('b', ['laps'], 'other'))).toEqual([
    expect.stringMatching(/^b\/.*: hash other differs from h of a/),
  ])
  expect(lines(outcome('baseline', ['x'], '', 'x'))).toEqual([
    expect.stringMatching(/^baseline.*: laps x differs from laps/),
  ])
  expect(lines(outcome('b', ['laps', 'laps', 'x'], null))).toEqual([
    expect.stringMatching(/^b\/.*: hash x of trial 3 differs from laps of trial 1$/),
  ])
})
