import { barrierNote } from '../barrier-note.ts'
import type { Results } from '../results.ts'
import { costBars, costTable } from './report-costs.ts'
import { curveSets, curveTable } from './report-curves.ts'
import {
  claimsSummary,
  claimsTable,
  comparisonTable,
  environmentTable,
  failures,
  machineCostsTable,
  machinePricesTable,
  type ReportTable,
  seedTable,
  stepsTable,
} from './report-tables.ts'
import { trialStrips, trialsTable } from './report-trials.ts'

/** The report's tables as Markdown, for a pull request. */
export function reportMarkdown(results: Results): string {
  const { environment, complete, command, seed } = results
  const warnings = environment.busy.map((reason) => `> Busy machine: ${reason}.`)
  if (complete === false) warnings.push('> The run was interrupted: what is here is valid, but not all.')
  for (const failure of failures(results)) warnings.push(`> ${failure}.`)
  const barrier = barrierNote(results.cells)
  if (barrier !== null) warnings.push(`> ${barrier}`)
  const { counts, failed } = claimsSummary(results.claims)
  const parts = [
    '## What reaching virtqueue metadata costs',
    ...(warnings.length > 0 ? [warnings.join('\n>\n')] : []),
    ...optional('Result', seedTable(results)),
    ...optional('Where a packet’s nanoseconds go', costTable(costBars(results).map(({ item }) => item))),
    ...optional('Trials', trialsTable(trialStrips(results).map(({ item }) => item))),
    ...curveSets(results).flatMap((set) => optional(`Cost over ${set.key}`, curveTable(set))),
    ...((results.comparisons ?? []).length > 0 ? ['### What differs', markdownTable(comparisonTable(results))] : []),
    ...optional('Steps', stepsTable(results)),
    ...optional('What steps cost on this machine', machinePricesTable(results)),
    ...optional('Steps at this machine’s prices', machineCostsTable(results)),
    ...(results.claims.length > 0
      ? [
          '### Published claims',
          [`${counts}.`, ...failed.map((text) => `- **Not reproduced.** ${text}`)].join('\n'),
          markdownTable(claimsTable(results.claims)),
        ]
      : []),
    '### Environment',
    markdownTable(environmentTable(results)),
    `\`${command.join(' ')}\`, seed ${seed}`,
  ]
  return `${parts.join('\n\n')}\n`
}

/** A section, or nothing for a table without rows. */
function optional(title: string, content: ReportTable): string[] {
  return content.rows.length === 0 ? [] : [`### ${title}`, markdownTable(content)]
}

/** A table in GitHub's dialect, its caption below it. */
export function markdownTable({ caption, columns, rows }: ReportTable): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const cells = rows.map((row) => line(columns.map((_, index) => row[index] ?? '')))
  return [
    line(columns.map(({ title }) => title)),
    `|${columns.map(({ number }) => (number ? ' ---: ' : ' --- ')).join('|')}|`,
    ...cells,
    '',
    caption,
  ].join('\n')
}
