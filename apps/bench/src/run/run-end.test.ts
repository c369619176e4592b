import { describe, expect, it } from 'vitest'
import { madeCell } from '../../test/made-results.ts'
import type { CellResult, ClaimResult } from '../results.ts'
import { failedClaimChecks } from './claim-check.ts'
import { runEnd } from './run-end.ts'

const quiet = { disagreements: [], failedPeers: [], interrupted: false }
const good = madeCell('copy-checked', 40)
const failed: CellResult = { ...madeCell('vmap-direct', 90), measured: null, hash: null, failure: 'was killed' }
const claim = (more: Partial<ClaimResult>): ClaimResult => {
  return { id: 'c', text: 'a gain', published: 0.2, modelled: 0.1, verdict: 'reproduced', tolerance: 0.05, ...more }
}
const end = (cells: CellResult[], more: Partial<typeof quiet> | object = {}, claims: ClaimResult[] = []) =>
  runEnd({ ...quiet, ...more }, { cells, claims })

describe('the end of a run', () => {
  it('is 0 when it is done: also with a cell that failed, which is named', () => {
    expect(end([good])).toEqual({ exitCode: 0, lines: [] })
    expect(end([good, failed])).toEqual({ exitCode: 0, lines: [`${failed.id} failed: was killed`] })
  })

  it('is 1 when nothing was done: every cell failed', () => {
    expect(end([failed])).toEqual({ exitCode: 1, lines: [`${failed.id} failed: was killed`, 'no cell has a result'] })
  })

  it('is 0 for a part of a sharded run that has no cells', () => {
    expect(end([])).toEqual({ exitCode: 0, lines: [] })
  })

  it('is 1 for a peer that failed, 3 for a hash that disagrees, 130 for Ctrl-C, whatever else there is', () => {
    expect(end([good], { failedPeers: ['peer dpdk, drop: gone'] })).toEqual({
      exitCode: 1,
      lines: ['peer dpdk, drop: gone'],
    })
    expect(end([good], { disagreements: ['a differs from b'] })).toEqual({
      exitCode: 3,
      lines: ['results disagree: a differs from b'],
    })
    expect(end([failed], { interrupted: true }).exitCode).toBe(130)
  })

  // The interface: 3 is "done, but a claim check failed". The model judges the same claims in every run, and one of them is
  // known to fail. Were that a failed check, no run could end with 0, and 3 would not tell a hash that disagrees.
  it('is 3 for a claim that fails without a record of it, and 0 for one that fails as recorded', () => {
    const news = claim({ verdict: 'not reproduced', reason: 'differs by 0.1' })
    const known = claim({ verdict: 'not reproduced', reason: 'a loss; missing: prices', missing: 'prices' })
    expect(end([good], {}, [news, known])).toEqual({
      exitCode: 3,
      lines: ['claim not reproduced: a gain: differs by 0.1'],
    })
    expect(end([good], {}, [known, claim({}), claim({ verdict: 'not tested' })])).toEqual({ exitCode: 0, lines: [] })
    expect(failedClaimChecks([news, known])).toEqual([news])
  })
})
