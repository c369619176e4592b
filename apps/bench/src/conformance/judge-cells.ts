import { backendChoice } from '../cell/backend-choice.ts'
import type { CellSpec } from '../cell/cell-spec.ts'
import { isBuiltIn } from '../load-registry.ts'
import type { CellResult, Results } from '../results/results.ts'
import { type ConformanceReport, type ConformanceRequest, causesOf, failedCases } from './conformance-report.ts'
import { examinePlugin } from './examine-plugin.ts'

/** What the kit says of a cell's plugins: absent where all of it is built in. */
export type CellConformance = NonNullable<CellResult['conformance']>

/**
 * Asks the kit once about every plugin that cells use, an accessor with each set of options that they give it.
 *
 * @param limitMs how long each may take, in ms
 * @returns by the cells' ids
 */
export async function judgeCells(
  specs: readonly CellSpec[],
  plugins: readonly string[],
  limitMs: number,
): Promise<Map<string, CellConformance>> {
  const reports = new Map<string, ConformanceReport>()
  const verdicts = new Map<string, CellConformance>()
  for (const spec of specs) {
    const own: ConformanceReport[] = []
    for (const request of requestsOf(spec, plugins)) {
      const key = JSON.stringify(request)
      const report = reports.get(key) ?? (await examinePlugin(request, limitMs))
      reports.set(key, report)
      own.push(report)
    }
    if (own.length > 0) verdicts.set(spec.id, verdictOf(own))
  }
  return verdicts
}

function requestsOf({ accessor, options, backend }: CellSpec, plugins: readonly string[]): ConformanceRequest[] {
  const { name, argument } = backendChoice(backend)
  return [
    ...(isBuiltIn('accessor', accessor) ? [] : [{ plugins, kind: 'accessor' as const, name: accessor, options }]),
    ...(isBuiltIn('backend', name) ? [] : [{ plugins, kind: 'backend' as const, name, argument, options: null }]),
  ]
}

function verdictOf(reports: readonly ConformanceReport[]): CellConformance {
  const failed = reports.flatMap(failedCases)
  const causes = reports.flatMap((report) =>
    causesOf(report).map((cause) => `${report.kind} ${report.plugin}: ${cause}`),
  )
  return { cases: reports.reduce((sum, { cases }) => sum + cases.length, 0), failed: failed.length, causes }
}

/** Results whose cells have what {@link judgeCells} found. */
export function withConformance(results: Results, verdicts: ReadonlyMap<string, CellConformance>): Results {
  const cells = results.cells.map((cell) => {
    const conformance = verdicts.get(cell.id)
    return conformance === undefined ? cell : { ...cell, conformance }
  })
  return { ...results, cells }
}
