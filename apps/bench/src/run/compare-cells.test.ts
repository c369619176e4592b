import { expect, it } from 'vitest'
import { madeCell } from '../../test/made-results.ts'
import type { CellResult } from '../results/results.ts'
import { pairsOfGroup } from './compare-cells.ts'

const cell = (accessor: string, ring: string, more = ''): CellResult =>
  madeCell(accessor, 10, { id: `${accessor}/${ring}/inproc/xdp1/64B/q256/b64${more}`, ring })
const pairs = (...cells: CellResult[]): string[] =>
  pairsOfGroup(cells, null).map(({ before, after }) => `${short(after)} than ${short(before)}`)
const short = (id: string): string => id.replace('/inproc/xdp1/64B/q256/b64', '')

it('accessors are compared over the same ring, and rings under the same accessor; the floor is not', () => {
  const cells = ['split', 'packed'].flatMap((ring) =>
    ['copy-checked', 'vmap-direct', 'baseline'].map((accessor) => cell(accessor, ring)),
  )
  expect(pairs(...cells)).toEqual([
    'vmap-direct/split than copy-checked/split',
    'vmap-direct/packed than copy-checked/packed',
    'copy-checked/packed than copy-checked/split',
    'vmap-direct/packed than vmap-direct/split',
  ])
})

it('a build without hooks is compared with the one that ships, whichever ran first', () => {
  expect(pairs(cell('vmap-direct', 'split', '/hooks=0'), cell('vmap-direct', 'split'))).toEqual([
    'vmap-direct/split/hooks=0 than vmap-direct/split',
  ])
})

it('cells that differ in two things are not compared, and what is usual need not be there', () => {
  const [plain, both] = [cell('vmap-direct', 'split'), cell('vmap-direct', 'packed', '/inOrder=true')]
  expect(pairs(plain, both)).toEqual([])
  expect(pairs(plain, cell('vmap-direct', 'packed'), both)).toEqual([
    'vmap-direct/packed than vmap-direct/split',
    'vmap-direct/packed/inOrder=true than vmap-direct/packed',
  ])
  expect(pairs(cell('vmap-direct', 'split', '/inOrder=true'), both)).toEqual([
    'vmap-direct/packed/inOrder=true than vmap-direct/split/inOrder=true',
  ])
})
