import type { Results } from '../results.ts'
import { cellNames } from '../varied-conditions.ts'
import type { Strip } from './charts.ts'
import { plainCells, type ReportTable } from './report-tables.ts'

/** Every trial of each cell and peer, with median and interval. */
export function trialStrips(results: Results): Strip[] {
  const cells = plainCells(results)
  const nameOf = cellNames(cells)
  const strips = cells.flatMap((cell): Strip[] =>
    cell.measured === null ? [] : [{ label: nameOf(cell), values: cell.measured.trials, ...cell.measured.mpps }],
  )
  for (const { name, mpps, trials } of results.peers) strips.push({ label: `${name} (peer)`, values: trials, ...mpps })
  return strips
}

/** The numbers of {@link trialStrips}. */
export function trialsTable(strips: readonly Strip[]): ReportTable {
  return {
    caption: 'Measured, Mpps of each trial, in the order they ran.',
    columns: [{ title: 'cell' }, { title: 'trials' }],
    rows: strips.map(({ label, values }) => [label, values.map((value) => value.toFixed(2)).join(', ')]),
  }
}
