import { barrierNote } from '../barrier-note.ts'
import type { Results } from '../results.ts'
import { curveChart, stackedBars, stripChart } from './charts.ts'
import { escapeHtml, figure, htmlTable } from './html.ts'
import { inParts } from './parts.ts'
import { COST_PARTS, costBars, costTable } from './report-costs.ts'
import { type CurveSet, curveSets, curveTable, curveTitle } from './report-curves.ts'
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
import { STYLE } from './style.ts'

const MIX_NOTE =
  'imix is 7 frames of 64 bytes, 4 of 594 and 1 of 1518 in turn: no length, so it stands beside the axis and on no line.'

/** The report as one offline HTML file: no script, no font, no request. */
export function reportHtml(results: Results): string {
  const sections = [
    tableSection('Result', seedTable(results)),
    modelSection(results),
    trialSection(results),
    curveSection(results),
    tableSection('What differs', comparisonTable(results)),
    tableSection('Steps', stepsTable(results)),
    tableSection('What steps cost on this machine', machinePricesTable(results)),
    tableSection('Steps at this machine’s prices', machineCostsTable(results)),
    results.claims.length > 0
      ? section('Published claims', claimsText(results) + table(claimsTable(results.claims)))
      : '',
    section('Environment', table(environmentTable(results))),
    section('Command', `<pre>${escapeHtml(results.command.join(' '))} --seed ${results.seed}</pre>`),
  ]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>vring-bench report</title><style>${STYLE}</style></head><body>
<a class="skip" href="#main">Skip to the result</a>
<header><h1>What reaching virtqueue metadata costs</h1>${notes(results)}</header>
<main id="main">${sections.filter(Boolean).join('\n')}</main></body></html>
`
}

function section(title: string, body: string): string {
  return `<section><h2>${escapeHtml(title)}</h2>${body}</section>`
}

/** Nothing for a table without rows. */
function tableSection(title: string, content: ReportTable): string {
  return content.rows.length === 0 ? '' : section(title, table(content))
}

/** Rows of one table, strips or bars of one chart, and curves of one section that are still read at once. */
const ROWS = 100
const STRIPS = 40
const CURVES = 6

/** A table, in parts that open by hand where it has more rows than anybody reads. */
function table({ caption, columns, rows, paths = [] }: ReportTable): string {
  if (rows.length <= ROWS) return htmlTable(caption, columns, rows)
  const placed = rows.map((item, index) => ({ path: paths[index] ?? [], item }))
  const verdict = columns.findIndex(({ title }) => title === 'verdict')
  const parts = inParts(placed, ROWS, {
    draw: (part, path) => htmlTable(path.join(', '), columns, part),
    summary: (part) => `${part.length} rows${verdict < 0 ? '' : `: ${tally(part.map((row) => row[verdict]!))}`}`,
  })
  return `<p class="caption">${escapeHtml(caption)} ${rows.length} rows, in parts.</p>${parts}`
}

/** `3 faster, 45 no change`. */
function tally(words: readonly string[]): string {
  return [...new Set(words)].map((word) => `${words.filter((one) => one === word).length} ${word}`).join(', ')
}

function notes(results: Results): string {
  const { environment, complete } = results
  const warnings = environment.busy.map((reason) => `Busy machine: ${reason}.`)
  if (complete === false) warnings.push('The run was interrupted: what is here is valid, but not all.')
  for (const failure of failures(results)) warnings.push(`${failure}.`)
  const barrier = barrierNote(results.cells)
  const list = warnings.map((warning) => `<li>${escapeHtml(warning)}</li>`).join('')
  return [
    '<p><strong>Published</strong> figures are from the kernel mailing list and commits of 2019. <strong>Modelled</strong>',
    'ones are steps, counted on the datapath below, times a CPU profile fitted to published rates. <strong>Measured</strong>',
    'ones are wall-clock of this TypeScript on this machine, which can neither toggle SMAP nor fence speculation.</p>',
    barrier === null ? '' : `<p>${escapeHtml(barrier)}</p>`,
    list === '' ? '' : `<div class="note"><ul>${list}</ul></div>`,
  ].join('\n')
}

/** Where the nanoseconds of a packet go: model output for V4's machine. */
function modelSection(results: Results): string {
  const bars = costBars(results)
  if (bars.length === 0) return ''
  const description =
    'Modelled, nanoseconds a packet, for the machine of patch V4 (2.6 GHz Broadwell). base is everything that does not ' +
    'depend on the accessor: ring logic, payload, XDP program, TAP.'
  let figures = 0
  const drawn = inParts(bars, STRIPS, {
    draw: (part, path) =>
      figure(
        `parts-${figures++}`,
        titled('Cost by cause', path),
        description,
        stackedBars(part, COST_PARTS, 'ns'),
        table(costTable(part)),
      ),
    summary: (part) => `${part.length} bars`,
  })
  return section('Where a packet’s nanoseconds go', drawn)
}

/** `Cost by cause.`, or of a part `Cost by cause: queue-size 256.` */
function titled(title: string, path: readonly string[]): string {
  return `${[title, ...(path.length === 0 ? [] : [path.join(', ')])].join(': ')}.`
}

/** Every trial, not only its average. */
function trialSection(results: Results): string {
  const strips = trialStrips(results)
  if (strips.length === 0) return ''
  const description =
    'Measured, million packets a second: each trial a dot, the median a bar, its 95 % interval a band.'
  let figures = 0
  const drawn = inParts(strips, STRIPS, {
    draw: (part, path) =>
      figure(
        `trials-${figures++}`,
        titled('Distribution of trials', path),
        description,
        stripChart(part, 'Mpps'),
        table(trialsTable(part)),
      ),
    summary: (part) => `trials of ${part.length} cells`,
  })
  return section('Trials', drawn)
}

function curveSection(results: Results): string {
  let figures = 0
  const draw = (set: CurveSet): string => {
    const mix = set.curves.some(({ points }) => points.some(({ x }) => typeof x === 'string'))
    return figure(
      `curve-${figures++}`,
      `Cost over ${curveTitle(set)}.`,
      `Measured, nanoseconds a packet, with 95 % intervals. Lower is better.${mix ? ` ${MIX_NOTE}` : ''}`,
      curveChart(set.curves, set.key, 'ns/packet'),
      table(curveTable(set)),
    )
  }
  const placed = curveSets(results).map((item) => ({ path: [`over ${item.key}`, ...item.held], item }))
  const drawn = inParts(placed, CURVES, {
    draw: (part) => part.map(draw).join('\n'),
    summary: (part) => `${part.length} charts`,
  })
  return placed.length === 0 ? '' : section('Curves', drawn)
}

function claimsText({ claims }: Results): string {
  const { counts, failed } = claimsSummary(claims)
  const list = failed.map((text) => `<li><strong>Not reproduced.</strong> ${escapeHtml(text)}</li>`).join('')
  return `<p>${counts}.</p>${list === '' ? '' : `<div class="note"><ul>${list}</ul></div>`}`
}
