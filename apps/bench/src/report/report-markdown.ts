import type { Results } from '../results.ts'
import {
  claimsTable,
  comparisonTable,
  environmentTable,
  type ReportTable,
  seedTable,
  stepsTable,
} from './report-tables.ts'

/** The report's tables as Markdown, for a pull request. */
export function reportMarkdown(results: Results): string {
  const { environment, complete, command, seed } = results
  const warnings = environment.busy.map((reason) => `> Busy machine: ${reason}.`)
  if (complete === false) warnings.push('> The run was interrupted: what is here is valid, but not all.')
  const parts = [
    '## What reaching virtqueue metadata costs',
    ...(warnings.length > 0 ? [warnings.join('\n>\n')] : []),
    markdownTable(seedTable(results)),
    ...((results.comparisons ?? []).length > 0 ? ['### What differs', markdownTable(comparisonTable(results))] : []),
    '### Steps',
    markdownTable(stepsTable(results)),
    ...(results.claims.length > 0 ? ['### Published claims', markdownTable(claimsTable(results.claims))] : []),
    '### Environment',
    markdownTable(environmentTable(results)),
    `\`${command.join(' ')}\`, seed ${seed}`,
  ]
  return `${parts.join('\n\n')}\n`
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
