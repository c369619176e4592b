import { describe, expect, it } from 'vitest'
import { madeCell, madeResults } from '../../test/made-results.ts'
import { madeSlices, PLACEMENT, slicedCell } from '../../test/made-slices.ts'
import { nearFarTable, placementNotes } from '../report/near-far.ts'
import { reportHtml } from '../report/report-html.ts'
import { reportMarkdown } from '../report/report-markdown.ts'
import { parseResults } from '../results/parse-results.ts'
import type { CellResult, Results } from '../results/results.ts'
import { classRates } from '../slices/class-rates.ts'
import { seededRandom } from '../stats/index.ts'
import { checkRatios } from './check-ratios.ts'
import { comparePairs, pairsOfCells, pairsOfGroup } from './compare-cells.ts'
import { floorFor, floorOfBoth, type NoiseFloor } from './noise-floor.ts'
import { printResults } from './print-results.ts'

const floor = (percent: number): NonNullable<NoiseFloor['classes']>['near'] => {
  return { median: 1, low: 1 - percent / 200, high: 1 + percent / 100, slices: 24 }
}
const noise = (percent: number): NoiseFloor => {
  const classes = { near: floor(percent), between: null, far: floor(percent), unknown: null }
  return { ratioLow: 0.5, ratioHigh: 2, classes }
}
const compare = (cells: readonly CellResult[], noiseFloor: Results['noiseFloor']) =>
  comparePairs(pairsOfGroup(cells, noiseFloor), seededRandom(1))

describe('cells in slices', () => {
  it('are compared class by class, and a class that one of them lacks is left out', () => {
    const cells = [
      slicedCell('copy-checked', { near: 18, far: 5, between: 14 }),
      slicedCell('vmap-direct', { near: 20, far: 5.02 }),
    ]
    const comparisons = compare(cells, noise(2))
    expect(comparisons.map((one) => [one.class, one.verdict, one.slices])).toEqual([
      ['near', 'faster', [24, 24]],
      ['far', 'no change', [24, 24]],
    ])
    expect(comparisons[0]!.ratio.median).toBeCloseTo(20 / 18, 6)
    expect(comparisons[0]!.floor).toBeCloseTo(0.02, 6)
  })

  it('no verdict is given on a difference below that of a cell against itself', () => {
    const cells = [slicedCell('copy-checked', { near: 18 }), slicedCell('vmap-direct', { near: 18.9 })]
    expect(compare(cells, noise(2))[0]!.verdict).toBe('faster')
    expect(compare(cells, noise(6))[0]!.verdict).toBe('no change')
    // The floor of another class, or none, says nothing.
    expect(compare(cells, { ratioLow: 1, ratioHigh: 1 })[0]!.verdict).toBe('no change')
    expect(compare(cells, null)[0]!.verdict).toBe('no change')
  })

  it('are told apart by their place in a sweep, and so are the peers that they are compared with', () => {
    const at = (size: number): CellResult => {
      const cell = slicedCell('vmap-direct', { near: 18 })
      return { ...cell, id: cell.id.replace('q256', `q${size}`), queueSize: size, sweep: { 'queue-size': size } }
    }
    const cells = [at(128), at(4096)]
    const peers = cells.map(({ id, measured }) => ({
      name: 'DPDK',
      version: '22.11.11',
      role: 'net_vhost',
      mpps: { median: 20, low: 19, high: 21 },
      trials: [20],
      ratios: [{ cell: id, class: 'near' as const, slices: 24, ratio: { median: 0.9, low: 0.8, high: 1 } }],
      classes: measured!.classes!,
    }))
    const names = nearFarTable(madeResults(cells, { placement: PLACEMENT, peers })).rows.map(([name]) => name)
    expect([...new Set(names)]).toEqual([
      'vmap-direct, queue-size 128',
      'vmap-direct, queue-size 4096',
      'DPDK 22.11.11 (peer, queue-size 128)',
      'DPDK 22.11.11 (peer, queue-size 4096)',
    ])
  })

  it('have a column for each peer that they are compared with', () => {
    const cells = [slicedCell('vmap-direct', { near: 2.6 })]
    const [{ id, measured }] = cells as [CellResult]
    const peers = (
      [
        ['DPDK', 1.65],
        ['C io_uring', 0.92],
      ] as const
    ).map(([name, median]) => ({
      name,
      version: '1',
      role: 'a TAP',
      mpps: { median: 1.6, low: 1.5, high: 1.7 },
      trials: [1.6],
      ratios: [{ cell: id, class: 'near' as const, slices: 24, ratio: { median, low: 0.9, high: 1.7 } }],
      classes: measured!.classes!,
    }))
    const { columns, rows } = nearFarTable(madeResults(cells, { placement: PLACEMENT, peers }))
    expect(columns.map(({ title }) => title).slice(4, 6)).toEqual(['of DPDK [95 %]', 'of C io_uring [95 %]'])
    expect(rows[0]!.slice(4, 6)).toEqual(['1.65 [0.90, 1.70]', '0.92 [0.90, 1.70]'])
  })

  it('no verdict is given on fewer than 20 slices', () => {
    const few = (accessor: string, mpps: number): CellResult => {
      const cell = slicedCell(accessor, { near: mpps }, 19)
      const slices = cell.measured!.slices!
      return { ...cell, measured: { ...cell.measured!, classes: classRates(slices, 3, seededRandom(1)) } }
    }
    expect(compare([few('copy-checked', 10), few('vmap-direct', 20)], noise(2))[0]!.verdict).toBe('no change')
  })

  it('of two runs have the larger floor of both, and none where one of them has none', () => {
    const runs = [noise(2), noise(5), null].map((noiseFloor) => ({ noiseFloor }))
    expect(floorOfBoth(runs[0]!, runs[1]!, 'near')).toBeCloseTo(0.05, 6)
    expect(floorOfBoth(runs[0]!, runs[2]!, 'near')).toBeNull()
    expect(floorFor(noise(2), 'between')).toBeNull()
  })

  it('have nothing in common with a cell of an older file, which stays readable', () => {
    const old = madeCell('copy-checked', 18, { id: 'copy-checked/split/testpmd/xdp1/64B/q256/b64', driver: 'testpmd' })
    expect(pairsOfCells(old, slicedCell('copy-checked', { near: 18 }), () => 0, false)).toEqual([])
    expect(parseResults(JSON.stringify(madeResults([old])), 'old.json').cells[0]!.measured!.classes).toBeUndefined()
  })
})

describe('check', () => {
  const run = (vmap: number, percent = 2): Results =>
    madeResults([slicedCell('copy-checked', { near: 18, far: 5 }), slicedCell('vmap-direct', { near: vmap, far: 5 })], {
      noiseFloor: noise(percent),
    })
  const check = (kept: Results, fresh: Results) =>
    checkRatios(kept, fresh, 0.1, seededRandom(1)).moves.map((move) => [move.class, move.verdict])

  it('holds ratios of slices of one class against each other', () => {
    expect(check(run(20), run(20))).toEqual([
      ['near', 'no change'],
      ['far', 'no change'],
    ])
    expect(check(run(20), run(15))).toEqual([
      ['near', 'slower'],
      ['far', 'no change'],
    ])
    expect(check(run(20), run(25))[0]).toEqual(['near', 'faster'])
  })

  it('calls nothing moved by less than a cell differs from itself by', () => {
    expect(check(run(20), run(15, 60))[0]).toEqual(['near', 'no change'])
  })
})

describe('near and far', () => {
  const cells = [
    slicedCell('copy-checked', { near: 18, far: 5, mixed: 9 }),
    slicedCell('vmap-direct', { near: 20, far: 5 }),
  ]
  const peerSlices = madeSlices({ near: 20, far: 6 }, 24)
  const ratio = { median: 0.9, low: 0.89, high: 0.91 }
  const results = madeResults(cells, {
    placement: PLACEMENT,
    noiseFloor: noise(2),
    comparisons: compare(cells, noise(2)),
    peers: [
      {
        name: 'DPDK',
        version: '22.11',
        role: 'net_vhost',
        mpps: { median: 20, low: 19, high: 21 },
        trials: [20],
        ratios: [{ cell: cells[0]!.id, class: 'near', slices: 24, ratio }],
        slices: peerSlices,
        classes: classRates(peerSlices, 20, seededRandom(1)),
        features: ['VERSION_1'],
      },
    ],
  })

  it('every row says how many slices it rests on, what was negotiated, and that a class was not seen', () => {
    const { rows, caption } = nearFarTable(results)
    const row = (cell: string, place: string): readonly string[] =>
      rows.find((one) => one[0] === cell && one[1] === place)!
    expect(row('copy-checked', 'near').slice(3)).toEqual(['24', '0.90 [0.89, 0.91]', 'MRG_RXBUF VERSION_1'])
    expect(row('copy-checked', 'between').slice(2, 4)).toEqual(['not seen', '0'])
    expect(row('DPDK 22.11 (peer)', 'far')[3]).toBe('24')
    expect(caption).toContain('near 72, far 72, mixed 24')
    expect(caption).toContain('A row needs 20 of its class')
  })

  it('is in the terminal’s text, in HTML and in Markdown, with the floor of each class', () => {
    for (const draw of [printResults, reportHtml, reportMarkdown]) {
      const text = draw(results)
      expect(text).toMatch(/not seen/)
      expect(text).toMatch(/A cell against itself in another process/)
      expect(text).toMatch(/2\.0 %/)
    }
    expect(reportHtml(results)).toContain('<h2 id="near-and-far">Near and far</h2>')
    expect(reportHtml(madeResults([madeCell('copy-checked', 40)]))).not.toContain('near-and-far')
  })

  it('cores that are moved all the time are said in one line, and the class is unknown', () => {
    const moved = madeResults([slicedCell('copy-checked', { mixed: 9 })], { placement: PLACEMENT })
    expect(placementNotes(moved)).toEqual(['class unknown: the hypervisor moved the cores within 24 of 24 slices'])
    expect(nearFarTable(moved).rows.map((row) => row.slice(1, 4))).toEqual([
      ['unknown', expect.stringMatching(/^9\.00 \[/), '24'],
    ])
    expect(printResults(moved)).toContain('\nclass unknown: the hypervisor moved the cores within 24 of 24 slices\n')
  })
})
