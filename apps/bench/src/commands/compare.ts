import { usageError } from '../bench-error.ts'
import { conformanceLines, conformanceMark, conformanceMarks } from '../conformance/conformance-mark.ts'
import { readResults } from '../results/read-results.ts'
import type { Comparison, Results } from '../results/results.ts'
import { comparePairs, type Pair, pairsOfCells } from '../run/compare-cells.ts'
import { floorOfBoth } from '../run/noise-floor.ts'
import { type TooFewTrials, tooFewTrials, tooFewTrialsText } from '../run/too-few-trials.ts'
import { seededRandom, valuesOf } from '../stats/index.ts'
import { colours } from '../terminal/colours.ts'
import { formatFloor, formatP, formatRatio } from '../terminal/format.ts'
import { checkApart, printText, toJson, writeOutput } from '../terminal/output.ts'
import { renderTable } from '../terminal/table.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg } from './shared-args.ts'

/** `vring-bench compare`: per cell, ratio with interval and verdict. */
export const compare: BenchCommand = {
  description: 'Per cell: ratio of two runs with interval and verdict',
  args: {
    before: { type: 'positional', description: 'results.json of the earlier run', required: true },
    after: { type: 'positional', description: 'results.json of the later run', required: true },
    ...jsonArg,
  },
  async run(args) {
    const json = args.text('json')
    if (json !== null) checkApart('--json', json, [args.text('before')!, args.text('after')!], 'what is read')
    const before = readResults('BEFORE', args.text('before')!)
    const after = readResults('AFTER', args.text('after')!)
    const pairs = pairsOf(before, after)
    if (pairs.length === 0) throw usageError('AFTER', 'has no measured cell in common with BEFORE')
    const comparisons = comparePairs(pairs, seededRandom(after.seed))
    const few = tooFewTrials(
      comparisons,
      pairs.map(({ trialsBefore, trialsAfter }) => [valuesOf(trialsBefore).length, valuesOf(trialsAfter).length]),
    )
    if (json !== null)
      writeOutput(
        '--json',
        json,
        toJson({
          comparisons,
          onlyBefore: missing(before, after),
          onlyAfter: missing(after, before),
          tooFewTrials: few,
          nonconforming: { before: nonconforming(before), after: nonconforming(after) },
        }),
      )
    else printText(table(comparisons, few, before, after))
    return 0
  },
}

function pairsOf(before: Results, after: Results): Pair[] {
  const known = new Map(before.cells.map((cell) => [cell.id, cell]))
  checkBounds(before, after)
  return after.cells.flatMap((cell) => {
    const old = known.get(cell.id)
    return old === undefined ? [] : pairsOfCells(old, cell, (place) => floorOfBoth(before, after, place), false)
  })
}

/** A class is a range of round trips: two runs have it in common if its bounds are the same. */
function checkBounds({ placement: one }: Results, { placement: other }: Results): void {
  if (one === undefined || other === undefined) return
  const text = ({ bounds }: typeof one): string => `${bounds.nearNs},${bounds.farNs}`
  if (text(one) !== text(other))
    throw usageError(
      'AFTER',
      `its classes end at ${text(other)} ns, those of BEFORE at ${text(one)}; accepted: the same`,
    )
}

/** Why figures of a run are to be taken with care. */
function caveats(which: string, { environment, complete, cells }: Results): string[] {
  return [
    ...(complete === false ? [`${which} is not all of its run`] : []),
    ...environment.busy.map((reason) => `${which}, busy machine: ${reason}`),
    ...conformanceLines({ cells }).map((line) => `${which}, ${line}`),
  ].map(colours.yellow)
}

/** Ids of cells whose plugin the conformance kit found a fault in. */
function nonconforming({ cells }: Results): string[] {
  return cells.filter((cell) => conformanceMark(cell) !== '').map(({ id }) => id)
}

/** Ids of measured cells that the other run does not have. */
function missing(here: Results, there: Results): string[] {
  const known = new Set(there.cells.filter(({ measured }) => measured !== null).map(({ id }) => id))
  return here.cells.filter(({ id, measured }) => measured !== null && !known.has(id)).map(({ id }) => id)
}

function table(comparisons: readonly Comparison[], few: TooFewTrials | null, before: Results, after: Results): string {
  const classes = comparisons.some((one) => one.class !== undefined)
  const markOf = conformanceMarks(before, after)
  const rows = comparisons.map(({ after: id, ratio, p, verdict, class: place, floor }) => [
    id + markOf(id),
    ...(classes ? [place ?? ''] : []),
    formatRatio(ratio, 3),
    formatP(p),
    formatFloor(floor),
    verdict,
  ])
  const lines = [
    renderTable(
      [
        { title: 'cell' },
        ...(classes ? [{ title: 'cores' }] : []),
        { title: 'after / before [95 %]', align: 'right' },
        { title: 'p', align: 'right' },
        { title: 'floor', align: 'right' },
        { title: 'verdict' },
      ],
      rows,
      colours.bold,
    ),
    ...(few === null ? [] : [colours.yellow(tooFewTrialsText(few))]),
    ...missing(before, after).map((id) => `only in BEFORE: ${id}${markOf(id)}`),
    ...missing(after, before).map((id) => `only in AFTER: ${id}${markOf(id)}`),
  ]
  lines.push(...caveats('BEFORE', before), ...caveats('AFTER', after))
  if (before.environment.cpu !== after.environment.cpu)
    lines.push(`different machines: ${before.environment.cpu} and ${after.environment.cpu}; ratios compare them too`)
  return lines.join('\n')
}
