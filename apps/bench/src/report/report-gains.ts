import { DEFAULT_SETUP, publishedFor } from '../results/model-results.ts'
import type { CellResult, Comparison, Results } from '../results/results.ts'
import { sweptNames } from '../results/varied-conditions.ts'
import { againstName, comparedNames, type ReportTable, resultCells } from './report-tables.ts'
import { type Gain, type GainGroup, gainName, gainText } from './row-charts.ts'

/** Comparisons of the cells that the result shows; those of a sweep have a section of their own. */
export function resultComparisons(results: Results): Comparison[] {
  const shown = new Set(resultCells(results).map(({ id }) => id))
  return (results.comparisons ?? []).filter(({ after }) => shown.has(after))
}

/** Comparisons that are still seen at one look; of more than these the table tells. */
const GAINS = 8

/** What each cell gains over the one that it was compared with: as published, as modelled, as measured here. */
export function gainGroups(results: Results): GainGroup[] {
  const cells = new Map(results.cells.map((cell) => [cell.id, cell]))
  const nameOf = sweptNames(resultCells(results))
  const shown = resultComparisons(results)
  if (shown.length > GAINS) return []
  return shown.flatMap(({ before, after, ratio, class: place }) => {
    const [reference, cell] = [cells.get(before), cells.get(after)]
    if (reference === undefined || cell === undefined) return []
    const measured: Gain = {
      origin: 'measured',
      smap: null,
      gain: ratio.median - 1,
      low: ratio.low - 1,
      high: ratio.high - 1,
    }
    const label = [nameOf(cell), ...(place === undefined ? [] : [`cores ${place}`])].join(', ')
    return [
      {
        label,
        reference: againstName(before, after, comparedNames(results)),
        gains: [...known(results, reference, cell), measured],
      },
    ]
  })
}

/** Gains that are published or modelled of these two, where both are. */
function known({ published }: Results, reference: CellResult, cell: CellResult): Gain[] {
  return (['on', 'off'] as const).flatMap((smap) => {
    const modelled = (of: CellResult): number | undefined =>
      of.modelled.find((row) => row.profile === DEFAULT_SETUP && row.smap === smap)?.mpps
    const rates = [
      ['published', publishedFor(published, reference, smap)?.mpps, publishedFor(published, cell, smap)?.mpps],
      ['modelled', modelled(reference), modelled(cell)],
    ] as const
    return rates.flatMap(([origin, before, after]): Gain[] =>
      before === undefined || after === undefined ? [] : [{ origin, smap, gain: after / before - 1 }],
    )
  })
}

/** The numbers of {@link gainGroups}. */
export function gainTable(groups: readonly GainGroup[]): ReportTable {
  const all = groups.flatMap(({ gains }) => gains)
  const figures = FIGURES.filter((figure) => all.some((gain) => gainName(gain) === figure))
  return {
    caption: 'Gain in packets a second over the cell that each was compared with.',
    columns: [
      { title: 'cell' },
      { title: 'against' },
      ...figures.map((figure) => ({
        title: figure.startsWith('measured') ? `${figure} [95 %]` : figure,
        number: true,
      })),
    ],
    rows: groups.map(({ label, reference, gains }) => [
      label,
      reference,
      ...figures.map((figure) => gainCell(gains.find((gain) => gainName(gain) === figure))),
    ]),
  }
}

/** Names of all gains, as the result's columns stand. */
const FIGURES: readonly string[] = [
  ...(['on', 'off'] as const).flatMap((smap) =>
    (['published', 'modelled'] as const).map((origin) => gainName({ origin, smap, gain: 0 })),
  ),
  gainName({ origin: 'measured', smap: null, gain: 0 }),
]

function gainCell(one: Gain | undefined): string {
  if (one === undefined) return '–'
  const { gain, low, high } = one
  return gainText(gain) + (low === undefined || high === undefined ? '' : ` [${gainText(low)}, ${gainText(high)}]`)
}
