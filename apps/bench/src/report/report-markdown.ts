import { barrierNote } from '../results/barrier-note.ts'
import type { Results } from '../results/results.ts'
import { commandLine } from './command-line.ts'
import { floorTable, nearFarTable, placementNotes } from './near-far.ts'
import { costBars, costTable } from './report-costs.ts'
import { curveSets, curveTable, curveTitle } from './report-curves.ts'
import { gainGroups, gainTable } from './report-gains.ts'
import { linesTable } from './report-lines.ts'
import { machineCostsTable, machinePricesTable } from './report-machine.ts'
import { headline, reportSummary } from './report-summary.ts'
import {
  claimsSummary,
  claimsTable,
  comparisonTable,
  environmentTable,
  failures,
  mitigationsTable,
  type ReportTable,
  seedTable,
  stepsTable,
} from './report-tables.ts'
import { trialStrips, trialsTable } from './report-trials.ts'

/** The report's tables as Markdown, for a pull request. */
export function reportMarkdown(results: Results): string {
  const { environment, complete } = results
  const warnings = environment.busy.map((reason) => `> Busy machine: ${reason}.`)
  if (complete === false) warnings.push('> The run was interrupted: what is here is valid, but not all.')
  for (const failure of failures(results)) warnings.push(`> ${failure}.`)
  for (const note of placementNotes(results)) warnings.push(`> ${escaped(note)}.`)
  const barrier = barrierNote(results.cells)
  if (barrier !== null) warnings.push(`> ${barrier}`)
  const { counts, failed } = claimsSummary(results.claims)
  const summary = reportSummary(results)
  const top = headline(results)
  const parts = [
    '## What reaching virtqueue metadata costs',
    ...(top === null ? [] : [`**${escaped(top.figure)}** ${escaped(top.sentence)}`]),
    ...(summary.length > 0 ? [summary.map((line) => `- ${escaped(line)}`).join('\n')] : []),
    ...(warnings.length > 0 ? [warnings.join('\n>\n')] : []),
    ...optional('Result', seedTable(results)),
    ORIGINS,
    ...optional('Gains', gainTable(gainGroups(results))),
    ...curveSets(results).flatMap((set) => optional(`Cost over ${curveTitle(set)}`, curveTable(set))),
    ...optional('Near and far', nearFarTable(results)),
    ...optional('A cell against itself', floorTable(results)),
    ...optional('What moves', linesTable(results)),
    ...optional('What differs', comparisonTable(results)),
    ...(results.claims.length > 0
      ? [
          '### Published claims',
          [`${counts}.`, ...failed.map((text) => `- **Not reproduced.** ${escaped(text)}`)].join('\n'),
          folded(`All ${results.claims.length} claims`, [markdownTable(claimsTable(results.claims))]),
        ]
      : []),
    folded('Where a packet’s nanoseconds go, steps, trials and environment', [
      ...optional('Where a packet’s nanoseconds go', costTable(costBars(results).map(({ item }) => item))),
      ...optional('Trials', trialsTable(trialStrips(results).map(({ item }) => item))),
      ...optional('Steps', stepsTable(results)),
      ...optional('What steps cost on this machine', machinePricesTable(results)),
      ...optional('Steps at this machine’s prices', machineCostsTable(results)),
      ...optional('Environment', environmentTable(results)),
      ...optional('Mitigations', mitigationsTable(results)),
    ]),
    `\`${commandLine(results)}\``,
  ]
  return `${parts.join('\n\n')}\n`
}

const ORIGINS =
  '**Published** figures are from the kernel’s mailing lists and commits, in the result those of patch V4, January 2019; ' +
  '**modelled** ones are steps, counted on the ' +
  'datapath, times a CPU profile fitted to published rates, and **measured** ones are wall-clock of this TypeScript on this machine.'

/** Text that Markdown takes for nothing else: `__get_user` is no emphasis, and `<fast>` no element. */
function escaped(text: string): string {
  return text.replaceAll(/[\\|_*`<>]/g, '\\$&')
}

/** What opens on a click; GitHub wants the empty lines. */
function folded(summary: string, parts: readonly string[]): string {
  return [`<details><summary>${summary}</summary>`, ...parts, '</details>'].join('\n\n')
}

/** A section, or nothing for a table without rows. */
function optional(title: string, content: ReportTable): string[] {
  return content.rows.length === 0 ? [] : [`### ${title}`, markdownTable(content)]
}

/** A table in GitHub's dialect, its caption below it. */
function markdownTable({ caption, columns, rows }: ReportTable): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escaped).join(' | ')} |`
  const cells = rows.map((row) => line(columns.map((_, index) => row[index] ?? '')))
  return [
    line(columns.map(({ title }) => title)),
    `|${columns.map(({ number }) => (number ? ' ---: ' : ' --- ')).join('|')}|`,
    ...cells,
    '',
    escaped(caption),
  ].join('\n')
}
