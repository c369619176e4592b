import { describe, expect, it } from 'vitest'
import { madeCell, madeResults } from '../../test/made-results.ts'
import { reportHtml } from '../report/report-html.ts'
import { reportMarkdown } from '../report/report-markdown.ts'
import type { CellResult, Results } from '../results/results.ts'
import { seededRandom } from '../stats/index.ts'
import { comparePairs, pairsOfGroup } from './compare-cells.ts'
import { printResults } from './print-results.ts'
import { tooFewTrials, tooFewTrialsOf } from './too-few-trials.ts'

const NO_CHANGE = { verdict: 'no change' } as const

describe('too few trials', () => {
  // Of n against n one order in half of (2n choose n) is as far from chance: 20 of 3 and 3, 70 of 4 and 4, 252 of 5 and 5.
  it.each([
    [1, 3, 4],
    [2, 4, 5],
    [10, 5, 6],
  ])('%i comparisons of %i trials a side tell nothing: it takes %i', (count, trials, needed) => {
    const all = (a: number): (readonly [number, number])[] => Array.from({ length: count }, () => [a, a] as const)
    const verdicts = Array.from({ length: count }, () => NO_CHANGE)
    expect(tooFewTrials(verdicts, all(trials))).toEqual({ comparisons: count, of: count, needed })
    expect(tooFewTrials(verdicts, all(needed))).toBeNull()
  })

  it('only those are counted that have too few, and that found nothing', () => {
    const trials = [
      [10, 10],
      [10, 3],
      [2, 2],
    ] as const
    expect(tooFewTrials([NO_CHANGE, NO_CHANGE, NO_CHANGE], trials)).toEqual({ comparisons: 1, of: 3, needed: 5 })
    expect(tooFewTrials([NO_CHANGE, NO_CHANGE, { verdict: 'faster' }], trials)).toBeNull()
    expect(tooFewTrials([], [])).toBeNull()
  })

  it('is what the test itself does: cells that are worlds apart are no change, and one trial more tells them apart', () => {
    const run = (trials: number): Results => {
      const cells = ['copy-checked', 'vmap-direct'].map((name, index): CellResult => {
        const cell = madeCell(name, index === 0 ? 10 : 90)
        return { ...cell, measured: { ...cell.measured!, trials: cell.measured!.trials.slice(0, trials) } }
      })
      return madeResults(cells, { comparisons: comparePairs(pairsOfGroup(cells, null), seededRandom(1)) })
    }
    const [few, enough] = [run(3), run(4)]
    expect([few, enough].map(({ comparisons }) => comparisons![0]!.verdict)).toEqual(['no change', 'faster'])
    expect(tooFewTrialsOf(few)).toEqual({ comparisons: 1, of: 1, needed: 4 })
    for (const draw of [printResults, reportHtml, reportMarkdown]) {
      expect(draw(few)).toMatch(/too few trials to tell 1 of 1: at least 4 a side/i)
      expect(draw(enough)).not.toMatch(/too few trials/i)
    }
  })
})
