import { describe, expect, it } from 'vitest'
import { madeCell } from '../../test/made-results.ts'
import type { CellResult, ClaimResult } from '../results/results.ts'
import { failedClaims } from './claim-check.ts'
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

  it('is 3 for a claim that its own cells fail, and 0 for one that a fit to published rows fails', () => {
    const measured = claim({
      verdict: 'not reproduced',
      reason: 'differs by 0.1; missing: the TAP',
      missing: 'the TAP',
    })
    const fitted = claim({ verdict: 'not reproduced', reason: 'differs by 0.1', leftOut: ['v4/vmap-direct/smap-on'] })
    expect(end([good], {}, [measured, fitted])).toEqual({
      exitCode: 3,
      lines: ['claim not reproduced: a gain: differs by 0.1; missing: the TAP'],
    })
    expect(end([good], {}, [fitted, claim({}), claim({ verdict: 'not tested' })])).toEqual({ exitCode: 0, lines: [] })
    expect(failedClaims([measured, fitted])).toEqual([measured, fitted])
  })
})
