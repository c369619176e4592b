import { barrierNote } from '../results/barrier-note.ts'
import type { Results } from '../results/results.ts'
import { commandLine } from './command-line.ts'
import { curveChart, leavesChart } from './curve-chart.ts'
import { escapeHtml, figure } from './html.ts'
import { floorTable, nearFarStrips, nearFarTable, placementNotes } from './near-far.ts'
import { inParts } from './parts.ts'
import { legend, square } from './picture.ts'
import { COST_PARTS, costBars, costTable } from './report-costs.ts'
import { type CurveSet, curveSets, curveTable, curveTitle, isCurve } from './report-curves.ts'
import { gainGroups, gainTable } from './report-gains.ts'
import { linesTable } from './report-lines.ts'
import { machineCostsTable, machinePricesTable } from './report-machine.ts'
import { type Headline, headline, reportSummary } from './report-summary.ts'
import {
  claimsSummary,
  claimsTable,
  comparisonTable,
  environmentTable,
  failures,
  mitigationsTable,
  seedTable,
  stepsTable,
} from './report-tables.ts'
import { trialStrips, trialsTable } from './report-trials.ts'
import { gainChart, gainsLeaveChart, stackedBars, stripChart } from './row-charts.ts'
import { CURVES, type Section, STRIPS, section, table, tableSection } from './sections.ts'
import { STYLE } from './style.ts'

const MIX_NOTE =
  'imix is 7 frames of 64 bytes, 4 of 594 and 1 of 1518 in turn: no length, so it stands beside the axis and on no line.'

const BEYOND_NOTE = 'An interval that leaves the chart ends in an arrow; the table has it whole.'

const CUT_NOTE = 'An interval that is many times as long as the bars is cut off at the edge; the table has it whole.'

/** The report as one offline HTML file: no script, no font, no request. */
export function reportHtml(results: Results): string {
  const sections = [
    resultSection(results),
    gainSection(results),
    modelSection(results),
    nearFarSection(results),
    trialSection(results),
    sweepSection(results),
    tableSection('What differs', comparisonTable(results)),
    claimsSection(results),
    tableSection('Steps', stepsTable(results)),
    tableSection('What steps cost on this machine', machinePricesTable(results)),
    tableSection('Steps at this machine’s prices', machineCostsTable(results)),
    section('Environment', table(environmentTable(results)) + mitigations(results)),
    section('Command', `<pre>${escapeHtml(commandLine(results))}</pre>`),
  ].filter((one) => one !== null)
  const links = sections.map(({ id, title }) => `<a href="#${id}">${escapeHtml(title)}</a>`)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>vring-bench report</title><style>${STYLE}</style></head><body>
<a class="skip" href="#main">Skip to the result</a>
<header><h1>What reaching virtqueue metadata costs</h1>${headlineMarkup(headline(results))}${notes(results)}${summary(results)}
<nav aria-label="Sections">${links.join(' ')}</nav></header>
<main id="main">${sections.map(({ id, title, body }) => `<section aria-labelledby="${id}"><h2 id="${id}">${escapeHtml(title)}</h2>${body}</section>`).join('\n')}</main></body></html>
`
}

/** Rows of a result that charts below show too: more of them open by hand. */
const RESULT_ROWS = 24

function resultSection(results: Results): Section | null {
  const content = seedTable(results)
  const rows =
    content.rows.length <= RESULT_ROWS
      ? table(content)
      : `<details><summary>All ${content.rows.length} rows</summary>${table(content)}</details>`
  return content.rows.length === 0 ? null : section('Result', rows + origins(results))
}

function headlineMarkup(top: Headline | null): string {
  if (top === null) return ''
  return `<p class="headline"><strong>${escapeHtml(top.figure)}</strong> ${escapeHtml(top.sentence)}</p>`
}

function summary(results: Results): string {
  const lines = reportSummary(results)
  return lines.length === 0 ? '' : `<ul>${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join('')}</ul>`
}

/** Where each kind of figure is from. */
function origins({ cells }: Results): string {
  const barrier = barrierNote(cells)
  return [
    '<p class="caption"><strong>Measured</strong> figures are wall-clock of this TypeScript on this machine, which can neither toggle',
    'SMAP nor fence speculation. <strong>Modelled</strong> ones are steps, counted on the datapath that was measured, times a CPU',
    'profile fitted to published rates. <strong>Published</strong> ones are from the kernel’s mailing lists and commits, here those',
    'of patch V4, January 2019.</p>',
    barrier === null ? '' : `<p class="caption">${escapeHtml(barrier)}</p>`,
  ].join('\n')
}

/** Published, modelled and measured gains below one another: what became of the patch's claim, at one look. */
function gainSection(results: Results): Section | null {
  const groups = gainGroups(results)
  if (groups.length === 0) return null
  const origins = (['published', 'modelled', 'measured'] as const).filter((origin) =>
    groups.some(({ gains }) => gains.some((gain) => gain.origin === origin)),
  )
  const colours = legend(origins.map((label) => ({ label, swatch: square(`origin-${label}`) })))
  const description =
    'More to the right, fewer to the left. Published and modelled gains are of a 2019 kernel on the machine ' +
    'of patch V4; the measured ones are of this code on this machine, and the thin line is their 95 % interval. They are ' +
    'different things: a kernel pays for stac, clac and lfence, and for much else besides its ring.'
  const references = [...new Set(groups.map(({ reference }) => reference))]
  const title = `Packets a second against ${references.join(' or ')}.`
  const chart = colours + gainChart(groups, 'gain, %')
  return section(
    'Gains',
    figure(
      'gains-0',
      title,
      gainsLeaveChart(groups) ? `${description} ${CUT_NOTE}` : description,
      chart,
      table(gainTable(groups)),
    ),
  )
}

function mitigations(results: Results): string {
  const content = mitigationsTable(results)
  if (content.rows.length === 0) return ''
  const summary = `CPU vulnerabilities and mitigations (${content.rows.length})`
  return `<details><summary>${summary}</summary>${table(content)}</details>`
}

function notes(results: Results): string {
  const { environment, complete } = results
  const { busy } = environment
  const warnings = busy.length === 0 ? [] : [`Busy machine: ${busy.join('; ')}.`]
  if (complete === false) warnings.push('The run was interrupted: what is here is valid, but not all.')
  for (const failure of failures(results)) warnings.push(`${failure}.`)
  return noteList(warnings)
}

/** What a reader must not miss, a line each. */
function noteList(lines: readonly string[]): string {
  if (lines.length === 0) return ''
  return `<div class="note"><ul>${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join('')}</ul></div>`
}

/** Where the nanoseconds of a packet go: model output for V4's machine. */
function modelSection(results: Results): Section | null {
  const bars = costBars(results)
  if (bars.length === 0) return null
  const description =
    'Modelled, nanoseconds a packet, for the machine of patch V4 (2.6 GHz Broadwell). “All else” does not depend on the ' +
    'accessor: ring logic, payload, XDP program, TAP. What a direct mapping still pays for stac + clac is the copy of the payload.'
  let figures = 0
  const drawn = inParts(bars, STRIPS, {
    draw: (part, path) =>
      figure(
        `parts-${figures++}`,
        titled('Cost by cause', path),
        description,
        stackedBars(part, COST_PARTS, 'ns a packet'),
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

const TRIALS_TEXT =
  'Measured, million packets a second: each trial a dot, the median a bar with its number, its 95 % interval a band.'

/** Rates by where the cores were, every slice of them, and what is no difference. */
function nearFarSection(results: Results): Section | null {
  const content = nearFarTable(results)
  if (content.rows.length === 0) return null
  let figures = 0
  const drawn = inParts(nearFarStrips(results), STRIPS, {
    draw: (part, path) =>
      figure(
        `near-far-${figures++}`,
        titled('Slices by class', path),
        SLICES_TEXT,
        stripChart(part, 'million packets a second'),
        table(trialsTable(part)),
      ),
    summary: (part) => `slices of ${part.length} rows`,
  })
  return section(
    'Near and far',
    [
      noteList(placementNotes(results).map((note) => `${note}.`)),
      table(content),
      nearFarStrips(results).length === 0 ? '' : drawn,
      floorTable(results).rows.length === 0 ? '' : table(floorTable(results)),
      linesTable(results).rows.length === 0 ? '' : `<h3>What moves</h3>${table(linesTable(results))}`,
    ].join('\n'),
  )
}

const SLICES_TEXT =
  'Measured, million packets a second: each slice a dot, the median a bar with its number, its 95 % interval a band. Rows of ' +
  'different classes are not compared.'

/** Every trial, not only its average. */
function trialSection(results: Results): Section | null {
  const strips = trialStrips(results)
  if (strips.length === 0) return null
  let figures = 0
  const drawn = inParts(strips, STRIPS, {
    draw: (part, path) =>
      figure(
        `trials-${figures++}`,
        titled('Distribution of trials', path),
        TRIALS_TEXT,
        stripChart(part, 'million packets a second'),
        table(trialsTable(part)),
      ),
    summary: (part) => `trials of ${part.length} cells`,
  })
  return section('Trials', drawn)
}

/** Lines where a sweep has values enough for one, strips of trials where it is a choice of two. */
function sweepSection(results: Results): Section | null {
  let figures = 0
  const drawCurve = (set: CurveSet): string => {
    const mix = set.curves.some(({ points }) => points.some(({ x }) => typeof x === 'string'))
    const description = [
      'Measured, nanoseconds a packet, with 95 % intervals. Lower is better.',
      ...(mix ? [MIX_NOTE] : []),
      ...(leavesChart(set.curves) ? [BEYOND_NOTE] : []),
    ]
    return figure(
      `curve-${figures++}`,
      `Cost over ${curveTitle(set)}.`,
      description.join(' '),
      curveChart(set.curves, set.key, 'ns a packet'),
      table(curveTable(set)),
    )
  }
  const drawStrips = (set: CurveSet): string =>
    inParts(
      set.strips.map((item) => ({ path: [], item })),
      STRIPS,
      {
        draw: (part) =>
          figure(
            `curve-${figures++}`,
            `Trials by ${curveTitle(set)}.`,
            TRIALS_TEXT,
            stripChart(part, 'million packets a second'),
            table(trialsTable(part)),
          ),
        summary: (part) => `trials of ${part.length} cells`,
      },
    )
  const placed = curveSets(results).map((item) => ({ path: [`over ${item.key}`, ...item.held], item }))
  const drawn = inParts(placed, CURVES, {
    draw: (part) => part.map((set) => (isCurve(set) ? drawCurve(set) : drawStrips(set))).join('\n'),
    summary: (part) => `${part.length} charts`,
  })
  return placed.length === 0 ? null : section('Sweeps', drawn)
}

function claimsSection({ claims }: Results): Section | null {
  if (claims.length === 0) return null
  const { counts, failed } = claimsSummary(claims)
  const list = failed.map((text) => `<li><strong>Not reproduced.</strong> ${escapeHtml(text)}</li>`).join('')
  const note = list === '' ? '' : `<div class="note"><ul>${list}</ul></div>`
  const all = `<details><summary>All ${claims.length} claims</summary>${table(claimsTable(claims))}</details>`
  return section('Published claims', `<p>${counts}.</p>${note}${all}`)
}
