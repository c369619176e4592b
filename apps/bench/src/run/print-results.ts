import { cellLabel } from '../cell/cell-spec.ts'
import { conformanceLines, conformanceMarks } from '../conformance/conformance-mark.ts'
import { classRatesText, floorTable, nearFarTable, placementNotes } from '../report/near-far.ts'
import { linesTable } from '../report/report-lines.ts'
import { claimsSummary, type ReportTable } from '../report/report-tables.ts'
import { barrierNote } from '../results/barrier-note.ts'
import { modelledRate, publishedRate } from '../results/cell-rates.ts'
import type { CellResult, Results } from '../results/results.ts'
import { cellTitle, variedConditions } from '../results/varied-conditions.ts'
import { colours } from '../terminal/colours.ts'
import { formatBytes, formatFloor, formatP, formatRateInterval, formatRatio } from '../terminal/format.ts'
import { type Column, renderTable } from '../terminal/table.ts'
import { tooFewTrialsOf, tooFewTrialsText } from './too-few-trials.ts'

/** The result for a terminal: measured, modelled and published side by side, each under its name. */
export function printResults(results: Results): string {
  const parts = [heading(results), cellsTable(results)]
  const nearFar = nearFarText(results)
  if (nearFar !== null) parts.push(nearFar)
  if (results.peers.some(({ classes }) => classes === undefined)) parts.push(peersTable(results))
  if ((results.comparisons ?? []).length > 0) parts.push(comparisonsTable(results))
  if (results.claims.length > 0) parts.push(claimsLine(results))
  const failed = results.cells.filter((cell) => cell.failure !== undefined)
  for (const cell of failed) parts.push(colours.red(`failed  ${cell.id}: ${cell.failure}`))
  for (const line of conformanceLines(results)) parts.push(colours.yellow(line))
  parts.push(footer(results))
  return parts.join('\n\n')
}

function heading({ environment, seed, complete, command }: Results): string {
  const lines = [
    `${environment.cpu}, ${environment.cores} cores, ${environment.kernel}, Node ${environment.node}, seed ${seed}`,
  ]
  if (complete === false) lines.push(colours.yellow('interrupted: what follows is valid but not all'))
  if (command.includes('--smoke')) lines.push(colours.yellow(SMOKE_NOTE))
  for (const reason of environment.busy) lines.push(colours.yellow(`busy machine: ${reason}`))
  return lines.join('\n')
}

/** Of rates that follow from `--smoke`. */
const SMOKE_NOTE =
  'smoke run: it shows that results agree; its rates are no measurement, leave --smoke out to compare them'

/** Value, and how far the interval goes to either side. */
function rateWithInterval(cell: CellResult): string {
  if (cell.measured === null) return cell.failure === undefined ? '–' : 'failed'
  return cell.measured.classes === undefined ? formatRateInterval(cell.measured.mpps) : classRatesText(cell.measured)
}

/** Slices of several classes have no time a packet in common. */
function hasTimes({ measured }: CellResult): boolean {
  return measured !== null && measured.classes === undefined
}

function cellsTable(results: Results): string {
  const { cells } = results
  const sweeps = new Set(cells.flatMap((cell) => Object.keys(cell.sweep ?? {})))
  const varied = variedConditions(cells)
  const columns: Column[] = [
    { title: 'accessor' },
    ...[...sweeps].map((title): Column => ({ title, align: 'right' })),
    ...varied.map(({ title }): Column => ({ title })),
    { title: 'measured Mpps [95 %]', align: 'right' },
    { title: 'ns/packet', align: 'right' },
    { title: 'p99', align: 'right' },
    ...['modelled off', 'modelled on', 'published off', 'published on'].map(
      (title): Column => ({ title, align: 'right' }),
    ),
    { title: 'hash' },
  ]
  const rows = cells.map((cell) => [
    cellTitle(cell),
    ...[...sweeps].map((key) => String(cell.sweep?.[key] ?? '')),
    ...varied.map(({ of }) => of(cell)),
    rateWithInterval(cell),
    hasTimes(cell) ? cell.measured!.nsPerPacket.median.toFixed(1) : '–',
    hasTimes(cell) ? cell.measured!.nsPerPacket.p99.toFixed(1) : '–',
    modelledRate(cell, 'off'),
    modelledRate(cell, 'on'),
    publishedRate(results, cell, 'off'),
    publishedRate(results, cell, 'on'),
    cell.hash?.slice(0, 8) ?? '–',
  ])
  const barrier = barrierNote(cells)
  return [
    `${commonConditions(cells)} Columns off and on: SMAP, Mpps.`,
    'measured: this TypeScript on this machine, which can neither toggle SMAP nor fence.',
    ...(barrier === null ? [] : [barrier]),
    ...negotiatedLine(cells),
    'modelled: the steps of the cell times a profile fitted to published rates. published: patch V4 and its thread, 2019.',
    renderTable(columns, rows, colours.bold),
  ].join('\n')
}

/** What all cells have in common of frames, ring, batch and backend, as a sentence. */
function commonConditions(cells: readonly CellResult[]): string {
  const one = (of: (cell: CellResult) => string): string[] => {
    const values = [...new Set(cells.map(of))]
    return values.length === 1 ? values : []
  }
  const ring = one((cell) => `${cell.ring} ring of ${cell.queueSize}${cell.inOrder ? ' in order' : ''}`)
  const parts = [
    ...one(({ id }) => `frames of ${id.split('/')[4]}`),
    ...(ring.length > 0 ? ring : one(({ queueSize }) => `rings of ${queueSize}`)),
    ...one(({ batch }) => `batches of ${batch}`),
    ...one(({ backend }) => `backend ${backend}`),
  ]
  return parts.length === 0 ? '' : `Common: ${parts.join(', ')}.`
}

/** `Negotiated: VERSION_1.`, or which accessors negotiated what, where they differ. Files of an older version do not say. */
function negotiatedLine(cells: readonly CellResult[]): string[] {
  const by = new Map<string, Set<string>>()
  for (const { accessor, features } of cells) {
    if (features === undefined) continue
    const names = features.join(' ') || 'nothing'
    by.set(names, (by.get(names) ?? new Set()).add(accessor))
  }
  if (by.size === 0) return []
  const text = ([names, who]: [string, Set<string>]): string =>
    by.size === 1 ? names : `${names} (${[...who].join(', ')})`
  return [`Negotiated: ${[...by].map(text).join('; ')}.`]
}

function peersTable({ peers }: Results): string {
  const rows = peers
    .filter(({ classes }) => classes === undefined)
    .map(({ name, version, role, mpps, ratios = [] }) => [
      `${name} ${version}`,
      role,
      formatRateInterval(mpps),
      ratios.map(({ cell, ratio }) => `${cellLabel(cell)} ${ratio.median.toFixed(2)} x`).join(', '),
    ])
  return renderTable(
    [
      { title: 'peer' },
      { title: 'role' },
      { title: 'measured Mpps [95 %]', align: 'right' },
      { title: 'accessors reach, of its rate' },
    ],
    rows,
    colours.bold,
  )
}

/**
 * Rates by where the cores were, and what a cell differs from itself by there; null where no driver had a core of its
 * own.
 */
function nearFarText(results: Results): string | null {
  const content = nearFarTable(results)
  if (content.rows.length === 0) return null
  const floors = floorTable(results)
  const lines = linesTable(results)
  return [
    content.caption,
    ...placementNotes(results).map(colours.yellow),
    asText(content),
    ...(floors.rows.length === 0 ? [] : ['', floors.caption, asText(floors)]),
    ...(lines.rows.length === 0 ? [] : ['', lines.caption, asText(lines)]),
  ].join('\n')
}

function asText({ columns, rows }: ReportTable): string {
  return renderTable(
    columns.map(({ title, number }): Column => (number ? { title, align: 'right' } : { title })),
    rows,
    colours.bold,
  )
}

function comparisonsTable(results: Results): string {
  const { comparisons = [], noiseFloor } = results
  const classes = comparisons.some((one) => one.class !== undefined)
  const markOf = conformanceMarks(results)
  const rows = comparisons.map(({ before, after, ratio, p, verdict, class: place, floor }) => [
    shortId(after) + markOf(after),
    ...(classes ? [place ?? ''] : []),
    formatRatio(ratio),
    formatP(p),
    formatFloor(floor),
    verdict,
    shortId(before) + markOf(before),
  ])
  const table = renderTable(
    [
      { title: 'cell' },
      ...(classes ? [{ title: 'cores' }] : []),
      { title: 'ratio [95 %]', align: 'right' },
      { title: 'p', align: 'right' },
      { title: 'floor', align: 'right' },
      { title: 'is' },
      { title: 'than' },
    ],
    rows,
    colours.bold,
  )
  const few = tooFewTrialsOf(results)
  const notes = [
    ...(few === null ? [] : [colours.yellow(tooFewTrialsText(few))]),
    // By class it has a table of its own.
    ...(noiseFloor === null || noiseFloor.classes !== undefined
      ? []
      : [
          `noise floor: a cell against itself is within [${noiseFloor.ratioLow.toFixed(2)}, ${noiseFloor.ratioHigh.toFixed(2)}]`,
        ]),
  ]
  return [table, ...notes].join('\n')
}

/**
 * How many published claims this run reproduced, and each one that it did not. Those that a fit to published rows
 * judges are the model's, whatever ran.
 */
function claimsLine({ claims }: Results): string {
  const ofModel = claims.filter(({ leftOut }) => leftOut !== undefined)
  const { counts, failed } = claimsSummary(claims.filter((claim) => !ofModel.includes(claim)))
  const model = claimsSummary(ofModel).counts
  return [
    `published claims, by what ran here: ${counts}`,
    ...failed.map((text) => colours.red(`not reproduced  ${text}`)),
    ...(ofModel.length === 0 ? [] : [`by the model alone, whatever ran: ${model}; see vring-bench model`]),
  ].join('\n')
}

/** The part of an id that differs between cells of one experiment. */
function shortId(id: string): string {
  return id.replace('/inproc/xdp1/64B/q256/b64', '').replace(/^([^/]+)\/split(?=$|\/[^/]+=)/, '$1')
}

function footer({ cells, residentBytes = 0 }: Results): string {
  const largest = Math.max(residentBytes, ...cells.map((cell) => cell.residentBytes ?? 0))
  return `largest resident set of any process: ${formatBytes(largest)}`
}
