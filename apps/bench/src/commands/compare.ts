import { usageError } from '../bench-error.ts'
import { colours } from '../colours.ts'
import { formatP, formatRatio } from '../format.ts'
import { checkApart, printText, toJson, writeOutput } from '../output.ts'
import { readResults } from '../read-results.ts'
import type { Comparison, Results } from '../results.ts'
import { comparePairs, type Pair } from '../run/compare-cells.ts'
import { type TooFewTrials, tooFewTrials, tooFewTrialsText } from '../run/too-few-trials.ts'
import { seededRandom } from '../stats/index.ts'
import { renderTable } from '../table.ts'
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
      pairs.map(({ trialsBefore, trialsAfter }) => [trialsBefore.length, trialsAfter.length]),
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
        }),
      )
    else printText(table(comparisons, few, before, after))
    return 0
  },
}

function pairsOf(before: Results, after: Results): Pair[] {
  const known = new Map(before.cells.map((cell) => [cell.id, cell]))
  return after.cells.flatMap((cell) => {
    const old = known.get(cell.id)
    if (old?.measured == null || cell.measured === null) return []
    return [{ before: old.id, after: cell.id, trialsBefore: old.measured.trials, trialsAfter: cell.measured.trials }]
  })
}

/** Why figures of a run are to be taken with care. */
function caveats(which: string, { environment, complete }: Results): string[] {
  return [
    ...(complete === false ? [`${which} is not all of its run`] : []),
    ...environment.busy.map((reason) => `${which}, busy machine: ${reason}`),
  ].map(colours.yellow)
}

/** Ids of measured cells that the other run does not have. */
function missing(here: Results, there: Results): string[] {
  const known = new Set(there.cells.filter(({ measured }) => measured !== null).map(({ id }) => id))
  return here.cells.filter(({ id, measured }) => measured !== null && !known.has(id)).map(({ id }) => id)
}

function table(comparisons: readonly Comparison[], few: TooFewTrials | null, before: Results, after: Results): string {
  const rows = comparisons.map(({ after: id, ratio, p, verdict }) => [id, formatRatio(ratio, 3), formatP(p), verdict])
  const lines = [
    renderTable(
      [
        { title: 'cell' },
        { title: 'after / before [95 %]', align: 'right' },
        { title: 'p', align: 'right' },
        { title: 'verdict' },
      ],
      rows,
      colours.bold,
    ),
    ...(few === null ? [] : [colours.yellow(tooFewTrialsText(few))]),
    ...missing(before, after).map((id) => `only in BEFORE: ${id}`),
    ...missing(after, before).map((id) => `only in AFTER: ${id}`),
  ]
  lines.push(...caveats('BEFORE', before), ...caveats('AFTER', after))
  if (before.environment.cpu !== after.environment.cpu)
    lines.push(`different machines: ${before.environment.cpu} and ${after.environment.cpu}; ratios compare them too`)
  return lines.join('\n')
}
