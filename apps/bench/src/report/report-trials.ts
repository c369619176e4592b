import type { Results } from '../results/results.ts'
import { cellNames, cellPaths } from '../results/varied-conditions.ts'
import { formatRateInterval } from '../terminal/format.ts'
import type { Placed } from './parts.ts'
import { plainCells, type ReportTable } from './report-tables.ts'
import type { Strip } from './row-charts.ts'

/** Every trial of each cell and peer, with median and interval. */
export function trialStrips(results: Results): Placed<Strip>[] {
  const cells = plainCells(results)
  const [nameOf, pathOf] = [cellNames(cells), cellPaths(cells)]
  const strips = cells.flatMap((cell): Placed<Strip>[] => {
    // Slices are drawn by class.
    if (cell.measured === null || cell.measured.classes !== undefined) return []
    const { mpps, trials } = cell.measured
    return [{ path: pathOf(cell), item: { label: nameOf(cell), values: trials, ...mpps } }]
  })
  for (const { name, mpps, trials, classes } of results.peers)
    if (classes === undefined)
      strips.push({ path: ['peers'], item: { label: `${name} (peer)`, values: trials, ...mpps } })
  return strips
}

/** The numbers of {@link trialStrips}. */
export function trialsTable(strips: readonly Strip[]): ReportTable {
  return {
    caption: 'Measured, Mpps of each trial, in the order they ran.',
    columns: [{ title: 'cell' }, { title: 'median [95 %]', number: true }, { title: 'trials' }],
    rows: strips.map(({ label, values, ...mpps }) => [
      label,
      formatRateInterval(mpps),
      values.map((value) => value.toFixed(2)).join(', '),
    ]),
  }
}
