import { usageError } from '../bench-error.ts'
import { cellLabel } from '../cell/cell-spec.ts'
import { conformanceLines, conformanceMarks } from '../conformance/conformance-mark.ts'
import { EXIT_DISAGREE, EXIT_OK } from '../exit-codes.ts'
import { readResults } from '../results/read-results.ts'
import type { Results } from '../results/results.ts'
import { checkRatios, type RatioCheck, type RatioMove } from '../run/check-ratios.ts'
import { seededRandom } from '../stats/index.ts'
import { colours } from '../terminal/colours.ts'
import { formatFloor, formatRatio } from '../terminal/format.ts'
import { checkApart, printText, toJson, writeOutput } from '../terminal/output.ts'
import { renderTable } from '../terminal/table.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg } from './shared-args.ts'

/** `vring-bench check`: a fresh run against a kept one, by ratios within each run. */
export const check: BenchCommand = {
  description: 'What moved since a kept run, by ratios within each run; 3 when a cell is slower or gone',
  args: {
    kept: { type: 'positional', description: 'results.json that was kept', required: true },
    fresh: { type: 'positional', description: 'results.json of a run of now', required: true },
    tolerance: { type: 'string', description: 'percent that a ratio may differ by; default 10', valueHint: 'N' },
    ...jsonArg,
  },
  async run(args) {
    const json = args.text('json')
    if (json !== null) checkApart('--json', json, [args.text('kept')!, args.text('fresh')!], 'what is read')
    const kept = readResults('KEPT', args.text('kept')!)
    const fresh = readResults('FRESH', args.text('fresh')!)
    const tolerance = args.integer('tolerance', 0, 90, 10) / 100
    const checked = checkRatios(kept, fresh, tolerance, seededRandom(fresh.seed))
    if (checked.moves.length === 0)
      throw usageError('FRESH', 'has no cell in common with KEPT that either floor or copy-checked was measured beside')
    const failed = checked.gone.length > 0 || checked.moves.some(({ verdict }) => verdict === 'slower')
    if (json !== null) writeOutput('--json', json, toJson({ tolerance, failed, ...checked }))
    else printText(text(checked, kept, fresh, tolerance))
    return failed ? EXIT_DISAGREE : EXIT_OK
  },
}

function text({ moves, gone, added, unheld }: RatioCheck, kept: Results, fresh: Results, tolerance: number): string {
  const right = 'right' as const
  const classes = moves.some((one) => one.class !== undefined)
  const columns = [
    { title: 'cell' },
    { title: 'against' },
    ...(classes ? [{ title: 'cores' }] : []),
    { title: 'kept', align: right },
    { title: 'now', align: right },
    { title: 'now / kept [95 % together]', align: right },
    { title: 'floor', align: right },
    { title: 'verdict' },
  ]
  const markOf = conformanceMarks(kept, fresh)
  const rows = moves.map(({ cell, reference, kept: before, fresh: after, change, verdict, class: place, floor }) => [
    cell + markOf(cell),
    cellLabel(reference),
    ...(classes ? [place ?? ''] : []),
    before.toFixed(3),
    after.toFixed(3),
    formatRatio(change, 3),
    formatFloor(floor),
    colour(verdict)(verdict),
  ])
  const count = (wanted: RatioMove['verdict']): number => moves.filter(({ verdict }) => verdict === wanted).length
  return [
    `Rates as a ratio to a cell of the same run. Kept: ${kept.startedAt.slice(0, 10)}, ${kept.environment.git ?? 'no commit'}.`,
    renderTable(columns, rows, colours.bold),
    ...gone.map((id) => colours.red(`gone: ${id}${whyGone(fresh, id)}`)),
    ...added.map((id) => `new: ${id}${markOf(id)}`),
    ...unheld.map((id) => colours.yellow(`no ratio: ${id}: neither floor nor copy-checked was measured beside it`)),
    ...(kept.environment.cpu === fresh.environment.cpu
      ? []
      : [colours.yellow(`different machines: kept on ${kept.environment.cpu}, now on ${fresh.environment.cpu}`)]),
    ...conformanceLines(fresh).map(colours.yellow),
    ...fresh.environment.busy.map((reason) =>
      colours.yellow(`busy machine: ${reason}; run again before you believe it`),
    ),
    `${count('slower')} slower, ${count('faster')} faster, ${count('no change')} not known to have moved by ${Math.round(100 * tolerance)} %, ${gone.length} gone, ${added.length} new`,
  ].join('\n')
}

function colour(verdict: RatioMove['verdict']): (text: string) => string {
  return verdict === 'slower' ? colours.red : verdict === 'faster' ? colours.green : (plain) => plain
}

function whyGone(fresh: Results, id: string): string {
  const failure = fresh.cells.find((cell) => cell.id === id)?.failure
  return failure === undefined ? '' : `, ${failure}`
}
