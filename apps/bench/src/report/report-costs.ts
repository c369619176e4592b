import { COST_NAMES } from '@vring/cost-model'
import { DEFAULT_SETUP } from '../results/model-results.ts'
import type { Results } from '../results/results.ts'
import { cellPaths, shortCellNames } from '../results/varied-conditions.ts'
import type { Placed } from './parts.ts'
import { plainCells, type ReportTable } from './report-tables.ts'
import type { StackedBar } from './row-charts.ts'

/** What people call these. */
const TITLES: Readonly<Record<string, string>> = {
  base: 'all else',
  smapPair: 'stac + clac',
  limitCheck: 'limit check',
}

/** What a packet's nanoseconds are made of, in the order that they are drawn in, with what people call it. */
export const COST_PARTS: readonly (readonly [name: string, title: string])[] = ['base', ...COST_NAMES].map((name) => [
  name,
  TITLES[name] ?? name,
])

/** Where the nanoseconds of a packet go in each cell, with SMAP and without: model output for the machine of patch V4. */
export function costBars(results: Results): Placed<StackedBar>[] {
  const cells = plainCells(results)
  const [nameOf, pathOf] = [shortCellNames(cells), cellPaths(cells)]
  return cells.flatMap((cell) =>
    (['on', 'off'] as const).flatMap((smap) => {
      const row = cell.modelled.find((candidate) => candidate.profile === DEFAULT_SETUP && candidate.smap === smap)
      if (row?.parts === undefined) return []
      return [{ path: pathOf(cell), item: { label: `${nameOf(cell)}, SMAP ${smap}`, parts: row.parts } }]
    }),
  )
}

/** The numbers of {@link costBars}. */
export function costTable(bars: readonly StackedBar[]): ReportTable {
  return {
    caption: 'Modelled, ns a packet by cause, on the machine of patch V4.',
    columns: [
      { title: 'accessor' },
      ...COST_PARTS.map(([, title]) => ({ title, number: true })),
      { title: 'sum', number: true },
    ],
    rows: bars.map(({ label, parts }) => {
      const costs = COST_PARTS.map(([name]) => parts[name] ?? 0)
      return [label, ...[...costs, costs.reduce((sum, cost) => sum + cost, 0)].map((cost) => cost.toFixed(1))]
    }),
  }
}
