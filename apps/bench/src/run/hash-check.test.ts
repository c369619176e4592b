import { expect, it } from 'vitest'
import { makeCell } from '../cell/cell-spec.ts'
import type { CellOutcome } from './group-outcome.ts'
import { hashDisagreements } from './hash-check.ts'

function outcome(name: string, trials: string[], hash: string | null, lapHash = 'laps'): CellOutcome {
  const spec = makeCell({ name, options: {} }, null, {})
  const counts = { steps: {}, payloadSteps: {}, accesses: {}, residentBytes: 0 }
  return {
    spec,
    trials: trials.map((of) => {
      return { type: 'trial', packets: 1, seconds: 1, hash: of, ringHash: '', nsPerPacket: { median: 1, p99: 1 } }
    }),
    finish: hash === null ? null : { type: 'finished', hash, ringHash: '', lapHash, lapRingHash: '', ...counts },
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
    expect.stringMatching(/^a.*: laps laps differs from x of baseline/),
  ])
  expect(lines(outcome('b', ['laps', 'laps', 'x'], null))).toEqual([
    expect.stringMatching(/^b\/.*: hash x of trial 3 differs from laps of trial 1$/),
  ])
})

it('what is delivered agrees over all rings, used elements over rings of one format and order', () => {
  const over = (ring: 'split' | 'packed', name: string, hash: string, ringHash: string): CellOutcome => {
    const made = outcome(name, ['laps'], hash)
    return { ...made, spec: makeCell({ name, options: {} }, null, { ring }), finish: { ...made.finish!, ringHash } }
  }
  const split = over('split', 'a', 'h', 'ring')
  expect(hashDisagreements([split, over('packed', 'a', 'h', 'another')])).toEqual([])
  expect(hashDisagreements([split, over('packed', 'a', 'other', 'another')])).toEqual([
    expect.stringMatching(/^a\/packed\/.*: hash other differs from h of a\/split/),
  ])
  expect(hashDisagreements([split, over('split', 'b', 'h', 'another')])).toEqual([
    expect.stringMatching(/^b\/split\/.*: used elements another differs from ring of a/),
  ])
})
