import { describe, expect, it } from 'vitest'
import { madeCell, madeResults } from '../../test/made-results.ts'
import { mergeResults, missingParts } from './merge-results.ts'
import type { CellResult, ClaimResult, Results } from './results.ts'

const untested: ClaimResult = {
  id: 'tx-batching',
  text: 'TX batching of 64',
  published: 0.448,
  modelled: null,
  verdict: 'not tested',
  tolerance: 0.3,
}
const part = (shard: string, ...cells: CellResult[]): Results => madeResults(cells, { shard, claims: [untested] })
const single = madeCell('copy-checked', 10, { batch: 1 })
const full = madeCell('copy-checked', 15, { batch: 64 })

describe('merge of a sharded run', () => {
  it('judges what the parts could not: a claim about two cells of two parts', () => {
    const { claims } = mergeResults([part('1/2', single), part('2/2', full)])
    expect(claims).toMatchObject([{ id: 'tx-batching', measured: 0.5, verdict: 'reproduced' }])
    expect(mergeResults([part('1/2', single)]).claims[0]!.verdict).toBe('not tested')
  })

  it('is complete when every part is there, empty ones too', () => {
    expect(mergeResults([part('2/3', full), part('3/3'), part('1/3', single)]).complete).toBe(true)
    expect(mergeResults([part('2/3', full)]).complete).toBe(false)
    expect(missingParts([part('2/3', full)])).toEqual(['1/3', '3/3'])
    expect(missingParts([madeResults([full])])).toEqual([])
    expect(mergeResults([madeResults([full])]).complete).toBe(true)
  })

  it('is incomplete with a part that stands alone beside a file that is no part', () => {
    const alone = [madeResults([full]), part('1/3', single)]
    expect(missingParts(alone)).toEqual(['2/3', '3/3'])
    expect(mergeResults(alone).complete).toBe(false)
  })

  it('is the same in whatever order the parts are listed', () => {
    const noiseFloor = { ratioLow: 0.9, ratioHigh: 1.1 }
    const command = ['vring-bench', 'run', '--shard', '1/11', '--seed', '7']
    const parts = [
      { ...part('1/11', single), noiseFloor, command },
      part('10/11', full),
      { ...part('11/11'), noiseFloor: null },
      part('2/11', madeCell('copy-checked', 12, { batch: 4 })),
    ]
    const merged = mergeResults(parts)
    expect(merged.cells.map(({ batch }) => batch)).toEqual([1, 4, 64])
    expect(merged.command).toEqual(['vring-bench', 'run', '--seed', '7'])
    expect(mergeResults(parts.toReversed())).toEqual(merged)
    expect(mergeResults([parts[2]!, parts[0]!]).noiseFloor).toEqual(noiseFloor)
  })

  it('refuses parts of runs that were cut differently', () => {
    expect(() => mergeResults([part('1/2', single), part('2/4', full)])).toThrow('in 2 and 4 parts')
  })
})
