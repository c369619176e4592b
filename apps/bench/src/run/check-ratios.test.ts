import { describe, expect, it } from 'vitest'
import { madeCell, madeResults } from '../../test/made-results.ts'
import { seededRandom } from '../stats/index.ts'
import { checkRatios, type RatioCheck } from './check-ratios.ts'

const run = (rates: Readonly<Record<string, number>>): ReturnType<typeof madeResults> =>
  madeResults(Object.entries(rates).map(([accessor, mpps]) => madeCell(accessor, mpps)))
const check = (kept: Readonly<Record<string, number>>, fresh: Readonly<Record<string, number>>): RatioCheck =>
  checkRatios(run(kept), run(fresh), 0.1, seededRandom(1))
const KEPT = { 'copy-checked': 40, 'vmap-direct': 90, baseline: 140 }

describe('checkRatios', () => {
  it('finds nothing where all of a machine became three times slower', () => {
    const { moves, gone, added } = check(KEPT, { 'copy-checked': 13.3, 'vmap-direct': 30, baseline: 46.7 })
    expect(moves.map(({ verdict }) => verdict)).toEqual(['no change', 'no change'])
    expect([gone, added]).toEqual([[], []])
  })

  it('names the cells that have nothing beside them to be held against', () => {
    const packed = madeCell('vmap-direct', 50, { id: 'vmap-direct/packed/inproc/xdp1/64B/q256/b64', ring: 'packed' })
    const both = madeResults([madeCell('copy-checked', 40), madeCell('vmap-direct', 90), packed])
    const { moves, unheld } = checkRatios(both, both, 0.1, seededRandom(1))
    expect(moves.map(({ cell }) => cell)).toEqual(['vmap-direct/split/inproc/xdp1/64B/q256/b64'])
    expect(unheld).toEqual([packed.id])
  })

  it('finds the one cell that became slower, by how much, and against what', () => {
    const { moves } = check(KEPT, { ...KEPT, 'vmap-direct': 60 })
    expect(moves.map(({ verdict }) => verdict)).toEqual(['no change', 'slower'])
    const { change, kept, fresh, reference } = moves[1]!
    expect(reference).toMatch(/^baseline\//)
    expect(kept).toBeCloseTo(90 / 140, 9)
    expect(fresh).toBeCloseTo(60 / 140, 9)
    expect(change.median).toBeCloseTo(60 / 90, 9)
    expect(change.low).toBeLessThan(60 / 90)
    expect(change.high).toBeGreaterThan(60 / 90)
    expect(change.high).toBeLessThan(0.75)
  })

  it('finds a cell that became faster, and leaves a change within the tolerance alone', () => {
    const verdicts = (mpps: number): string => check(KEPT, { ...KEPT, 'vmap-direct': mpps }).moves[1]!.verdict
    expect(verdicts(120)).toBe('faster')
    expect(verdicts(95)).toBe('no change')
    expect(verdicts(85)).toBe('no change')
  })

  it('is not sure of a change whose interval reaches into the tolerance', () => {
    const noisy = madeCell('vmap-direct', 75)
    const trials = [40, 50, 60, 70, 75, 75, 80, 90, 95, 100]
    const fresh = madeResults([
      madeCell('copy-checked', 40),
      { ...noisy, measured: { ...noisy.measured!, trials } },
      madeCell('baseline', 140),
    ])
    const [, move] = checkRatios(run(KEPT), fresh, 0.1, seededRandom(1)).moves
    expect(move!.change.median).toBeCloseTo(75 / 90, 9)
    expect(move!.verdict).toBe('no change')
  })

  it('looks at the median chunk of each trial, which a busy neighbour leaves alone', () => {
    const { measured, ...rest } = madeCell('vmap-direct', 90)
    const chunks = { ...measured!.nsPerPacket, trials: measured!.trials.map((mpps) => 1000 / mpps) }
    const disturbed = { ...measured!, trials: measured!.trials.map((mpps) => mpps / 3), nsPerPacket: chunks }
    const fresh = madeResults([
      madeCell('copy-checked', 40),
      { ...rest, measured: disturbed },
      madeCell('baseline', 140),
    ])
    const [, move] = checkRatios(run(KEPT), fresh, 0.1, seededRandom(1)).moves
    expect(move).toMatchObject({ verdict: 'no change' })
    expect(move!.fresh).toBeCloseTo(90 / 140, 9)
  })

  it('holds cells against copy-checked where no floor was measured, and a reference against nothing', () => {
    const { moves } = check({ 'copy-checked': 40, 'vmap-direct': 90 }, { 'copy-checked': 20, 'vmap-direct': 90 })
    expect(moves).toMatchObject([
      { reference: expect.stringMatching(/^copy-checked\//), kept: 2.25, fresh: 4.5, verdict: 'faster' },
    ])
    expect(check({ baseline: 140 }, { baseline: 70 }).moves).toEqual([])
  })

  it('names cells that are gone or new; one that failed is gone', () => {
    const { moves, gone, added } = check(KEPT, { 'copy-checked': 40, mine: 50, baseline: 140 })
    expect(moves).toHaveLength(1)
    expect(gone).toEqual(['vmap-direct/split/inproc/xdp1/64B/q256/b64'])
    expect(added).toEqual(['mine/split/inproc/xdp1/64B/q256/b64'])
    const failed = madeResults([
      madeCell('copy-checked', 40),
      madeCell('vmap-direct', 90, { measured: null, failure: 'hung' }),
      madeCell('baseline', 140),
    ])
    expect(checkRatios(run(KEPT), failed, 0.1, seededRandom(1)).gone).toEqual(gone)
  })

  it('compares within groups: another ring size has references of its own', () => {
    const sizes = (mpps: number): ReturnType<typeof madeResults> =>
      madeResults(
        [256, 1024].flatMap((queueSize) => [
          madeCell('copy-checked', queueSize === 256 ? 40 : 20, { queueSize }),
          madeCell('vmap-direct', queueSize === 256 ? 80 : mpps, { queueSize }),
        ]),
      )
    const { moves } = checkRatios(sizes(40), sizes(30), 0.1, seededRandom(1))
    expect(moves.map(({ reference, verdict }) => [reference, verdict])).toEqual([
      ['copy-checked/split/inproc/xdp1/64B/q256/b64', 'no change'],
      ['copy-checked/split/inproc/xdp1/64B/q1024/b64', 'slower'],
    ])
  })
})
