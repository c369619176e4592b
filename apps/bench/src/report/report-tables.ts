import { claimDifferenceText, claimText } from '@vring/cost-model'
import { cellLabel, groupKey } from '../cell/cell-spec.ts'
import { conformanceLines } from '../conformance/conformance-mark.ts'
import { PLACEMENTS } from '../placement/classes.ts'
import { modelledRate, publishedRate } from '../results/cell-rates.ts'
import type { CellResult, ClaimResult, PeerResult, Results } from '../results/results.ts'
import {
  cellNames,
  cellPaths,
  cellTitle,
  ringText,
  sweptNames,
  variedConditions,
} from '../results/varied-conditions.ts'
import { tooFewTrialsOf, tooFewTrialsText } from '../run/too-few-trials.ts'
import { formatBytes, formatFloor, formatP, formatRateInterval, formatRatio } from '../terminal/format.ts'
import type { HtmlColumn } from './html.ts'
import type { Placed } from './parts.ts'

/** A table of the report, for HTML and Markdown alike. */
export interface ReportTable {
  readonly caption: string
  readonly columns: readonly HtmlColumn[]
  readonly rows: readonly (readonly string[])[]
  /** Conditions of each row, for tables that may have thousands: see `inParts`. */
  readonly paths?: readonly (readonly string[])[]
}

/** Cells that an experiment did not vary by `--sweep`. */
export function plainCells(results: Results): CellResult[] {
  return results.cells.filter((cell) => Object.keys(cell.sweep ?? {}).length === 0)
}

/** Cells that the result shows: the plain ones, or all of a run that varied everything by `--sweep`. */
export function resultCells(results: Results): CellResult[] {
  const plain = plainCells(results)
  return plain.length > 0 ? plain : [...results.cells]
}

/** The seed's table: measured, modelled and published side by side, each under its name; a row for each rate. */
export function seedTable(results: Results): ReportTable {
  const cells = resultCells(results)
  const keys = [...new Set(cells.flatMap(({ sweep }) => Object.keys(sweep ?? {})))]
  const varied = [
    ...keys.map((key) => ({ title: key, of: ({ sweep }: CellResult): string => String(sweep?.[key] ?? '–') })),
    ...variedConditions(cells),
  ]
  const pathOf = cellPaths(cells)
  const rows: Placed<readonly string[]>[] = cells.flatMap((cell) =>
    ratesOf(cell.measured, cell.failure === undefined ? '–' : 'failed, see above').map(([place, rate]) => ({
      path: pathOf(cell),
      item: [
        cellTitle(cell),
        ...varied.map(({ of }) => of(cell)),
        place,
        rate,
        modelledRate(cell, 'on'),
        publishedRate(results, cell, 'on'),
        modelledRate(cell, 'off'),
        publishedRate(results, cell, 'off'),
      ],
    })),
  )
  for (const { name, version, role, ring, inOrder, ...peer } of results.peers)
    for (const [place, rate] of ratesOf(peer, '–'))
      rows.push({
        path: ['peers'],
        item: [
          `${name} ${version} (peer: ${role})`,
          // What else a peer is measured with is in its role.
          ...varied.map(({ title }) => (title === 'ring' && ring !== undefined ? ringText(ring, inOrder) : '–')),
          place,
          rate,
        ],
      })
  const number = true
  const columns: readonly HtmlColumn[] = [
    { title: 'accessor' },
    ...varied.map(({ title }) => ({ title })),
    { title: 'cores' },
    { title: 'measured here [95 %]', number },
    { title: 'SMAP on, modelled', number },
    { title: 'SMAP on, published', number },
    { title: 'SMAP off, modelled', number },
    { title: 'SMAP off, published', number },
  ]
  // A column that has nothing to say is left out.
  const kept = columns.flatMap(({ title }, index) =>
    title.startsWith('measured') || rows.some(({ item }) => (item[index] ?? '–') !== '–') ? [index] : [],
  )
  return {
    caption:
      'Million packets a second. SMAP on and off are modelled or published, never measured here.' +
      (cells.some((cell) => modelledRate(cell, 'on').startsWith('≤'))
        ? ' ≤: the cell takes steps that the model has no price for.'
        : ''),
    columns: kept.map((index) => columns[index]!),
    rows: rows.map(({ item }) => kept.map((index) => item[index] ?? '–')),
    paths: rows.map(({ path }) => path),
  }
}

/** Where the cores were and the rate there: one row where nothing tells classes apart, or nothing was measured. */
function ratesOf(measured: Pick<PeerResult, 'mpps' | 'classes'> | null, none: string): [place: string, rate: string][] {
  if (measured === null) return [['–', none]]
  const { mpps, classes } = measured
  if (classes === undefined) return [['–', formatRateInterval(mpps)]]
  const rows = PLACEMENTS.flatMap((place): [string, string][] => {
    const rate = classes[place]
    return rate === null ? [] : [[place, formatRateInterval(rate.mpps)]]
  })
  return rows.length === 0 ? [['–', '–']] : rows
}

/** Comparisons of a run with what chance alone does. */
export function comparisonTable(results: Results): ReportTable {
  const { comparisons = [], noiseFloor } = results
  const classes = comparisons.some((one) => one.class !== undefined)
  const few = tooFewTrialsOf(results)
  const cells = new Map(results.cells.map((cell) => [cell.id, cell]))
  const pathOf = cellPaths(results.cells)
  const nameOf = comparedNames(results)
  const warning = few === null ? '' : ` “No change” may be ${tooFewTrialsText(few)}.`
  const noise =
    noiseFloor === null || noiseFloor.classes !== undefined
      ? ''
      : ` A cell against itself: ${noiseFloor.ratioLow.toFixed(2)} to ${noiseFloor.ratioHigh.toFixed(2)}.`
  return {
    caption: `Ratio of medians, bootstrap interval, rank test (Holm-corrected). No verdict on a difference below the floor, that of a cell against itself.${noise}${warning}`,
    columns: [
      { title: 'cell' },
      { title: 'against' },
      ...(classes ? [{ title: 'cores' }] : []),
      { title: 'ratio [95 %]', number: true },
      { title: 'p', number: true },
      { title: 'floor', number: true },
      { title: 'verdict', verdict: true },
    ],
    rows: comparisons.map(({ before, after, ratio, p, verdict, class: place, floor }) => [
      nameOf(after),
      againstName(before, after, nameOf),
      ...(classes ? [place ?? ''] : []),
      formatRatio(ratio),
      formatP(p),
      formatFloor(floor),
      verdict,
    ]),
    paths: comparisons.map(({ after }) => {
      const cell = cells.get(after)
      return cell === undefined ? [] : pathOf(cell)
    }),
  }
}

/** The cell that another is compared with: its accessor is enough where both stand under the same conditions. */
export function againstName(before: string, after: string, nameOf: (id: string) => string): string {
  return groupKey({ id: before }) === groupKey({ id: after }) ? cellLabel(before) : nameOf(before)
}

/** Names of compared cells, by their ids: the accessor, the conditions that cells differ in, and the place in a sweep. */
export function comparedNames({ cells }: Pick<Results, 'cells'>, namesOf = cellNames): (id: string) => string {
  const nameOf = sweptNames(cells, namesOf)
  const names = new Map(cells.map((cell) => [cell.id, nameOf(cell)]))
  return (id) => names.get(id) ?? id
}

/** Steps per packet of each cell that counted them. */
export function stepsTable(results: Results): ReportTable {
  const counted = plainCells(results).filter((cell) => Object.keys(cell.steps).length > 0)
  const names = [...new Set(counted.flatMap((cell) => Object.keys(cell.steps)))]
  const nameOf = cellNames(counted)
  return {
    caption:
      'Steps of metadata access per packet, counted on the datapath that was measured: mb is a full barrier, walk a way ' +
      'through the page table, limitCheck a compare of an address with the end of user space.',
    columns: [{ title: 'accessor' }, ...names.map((title) => ({ title, number: true }))],
    rows: counted.map((cell) => [
      nameOf(cell),
      ...names.map((name) => (cell.steps[name] === undefined ? '' : cell.steps[name].toFixed(3))),
    ]),
    paths: counted.map(cellPaths(counted)),
  }
}

/** What became of the published claims, in a line, and each one that was not reproduced. */
export function claimsSummary(claims: readonly ClaimResult[]): { counts: string; failed: string[] } {
  const count = (verdict: string): number => claims.filter((claim) => claim.verdict === verdict).length
  return {
    counts: `${count('reproduced')} reproduced, ${count('not reproduced')} not reproduced, ${count('not tested')} not tested`,
    failed: claims
      .filter(({ verdict }) => verdict === 'not reproduced')
      .map(({ text, reason }) => (reason === undefined ? text : `${text}: ${reason}`)),
  }
}

/** Cells that gave no result, each with its reason, and plugins that do not conform. */
export function failures(results: Results): string[] {
  const failed = results.cells.flatMap(({ id, failure }) => (failure === undefined ? [] : [`${id} failed: ${failure}`]))
  return [...failed, ...conformanceLines(results)]
}

/** Published claims and what became of them. */
export function claimsTable(claims: readonly ClaimResult[]): ReportTable {
  const value = (claim: ClaimResult, number: number | null | undefined): string =>
    number === null || number === undefined ? '–' : claimText(claim, number)
  return {
    caption:
      'Gains are after / before − 1, their differences in points of percent. A modelled gain is predicted by a fit without the ' +
      'published rows that it is about; where no other row tells a step of it, it can not be tested. A claim is reproduced when ' +
      'its sign is and model or measurement is within the tolerance.',
    columns: [
      { title: 'claim', wide: true },
      { title: 'verdict', verdict: true },
      { title: 'published', number: true },
      { title: 'modelled', number: true },
      { title: 'measured', number: true },
      { title: 'tolerance', number: true },
      { title: 'why', wide: true },
      { title: 'source' },
    ],
    rows: claims.map((claim) => [
      claim.text,
      claim.verdict,
      value(claim, claim.published),
      value(claim, claim.modelled),
      value(claim, claim.measured),
      claim.tolerance === null ? '–' : claimDifferenceText(claim, claim.tolerance),
      claim.reason ?? '',
      claim.source ?? '',
    ]),
  }
}

/** The machine and the software. */
export function environmentTable({ environment, seed, startedAt, cells, residentBytes = 0 }: Results): ReportTable {
  const { cpu, cores, kernel, node, v8, loadBefore, loadAfter, steal, git } = environment
  const largest = Math.max(residentBytes, ...cells.map((cell) => cell.residentBytes ?? 0))
  return {
    caption: 'What it was measured on.',
    columns: [{ title: 'what' }, { title: 'value' }],
    rows: [
      ['started', startedAt],
      ['CPU', `${cpu}, ${cores} cores`],
      ['kernel', kernel],
      ['Node, V8', `${node}, ${v8}`],
      ['load before, after', `${loadBefore}, ${loadAfter}`],
      ['CPU time stolen by the hypervisor', steal === null ? 'unknown' : `${(100 * steal).toFixed(2)} %`],
      ['source', git ?? 'unknown'],
      ['seed', String(seed)],
      ['largest resident set of a process', formatBytes(largest)],
    ],
  }
}

/** What the kernel does about each known weakness of the CPU. */
export function mitigationsTable({ environment: { mitigations } }: Results): ReportTable {
  return {
    caption: 'What the kernel says of the CPU’s vulnerabilities.',
    columns: [{ title: 'vulnerability' }, { title: 'state' }],
    rows: Object.entries(mitigations),
  }
}
