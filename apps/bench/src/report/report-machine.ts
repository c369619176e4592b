import { formatPrice, machineCosts, stepPrices } from '../machine/machine-costs.ts'
import type { CellResult, Results } from '../results/results.ts'
import { cellNames, cellPaths } from '../results/varied-conditions.ts'
import { plainCells, type ReportTable } from './report-tables.ts'

/** What steps cost on this processor; no rows where the run did not look. */
export function machinePricesTable({ environment: { machine } }: Results): ReportTable {
  const rows = machine === undefined ? [] : stepPrices(machine)
  const clock = machine?.clockGHz ?? null
  return {
    caption:
      clock === null
        ? 'ns a step.'
        : `ns a step, timed as machine code in a chain of loads that hit the first cache, the core at ${clock.toFixed(2)} GHz.`,
    columns: [{ title: 'step' }, { title: 'ns [95 %]', number: true }, { title: 'where it is from' }],
    rows: rows.map((price) => [price.step, formatPrice(price), price.from]),
  }
}

/** The steps of each cell at the prices of {@link machinePricesTable}. */
export function machineCostsTable(results: Results): ReportTable {
  const { machine } = results.environment
  const counted = plainCells(results).filter((cell) => Object.keys(cell.steps).length > 0)
  const sum = (cell: CellResult): Record<string, number> => {
    const steps: Record<string, number> = { ...cell.steps }
    for (const [name, count] of Object.entries(cell.payloadSteps ?? {})) steps[name] = (steps[name] ?? 0) + count
    return steps
  }
  const nameOf = cellNames(counted)
  const rows = counted.map((cell) => ({ label: nameOf(cell), steps: sum(cell) }))
  const costs = machine === undefined ? null : machineCosts(machine, rows)
  const names = ['lfence', 'limitCheck', 'mask', 'lock']
  return {
    caption:
      'Predicted ns a packet of these steps alone, were this the kernel. SMAP pairs are at the price fitted to published rates.',
    columns: [
      { title: 'accessor' },
      ...names.map((title) => ({ title, number: true })),
      { title: 'measured steps', number: true },
      { title: 'SMAP pairs, published', number: true },
    ],
    rows: (costs ?? []).map(({ label, parts, measuredNs, smapNs }) => [
      label,
      ...names.map((name) => (parts[name] ?? 0).toFixed(1)),
      measuredNs.toFixed(1),
      smapNs.toFixed(1),
    ]),
    paths: counted.map(cellPaths(counted)),
  }
}
