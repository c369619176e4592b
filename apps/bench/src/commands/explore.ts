import type { CatalogueEntry, Exploration, ExploreOptions, RandomSchedules } from '@vring/explorer'
import { oneOf } from '../arguments.ts'
import { KIT_LIMIT_MS } from '../conformance/examine-plugin.ts'
import { EXIT_DISAGREE, EXIT_OK } from '../exit-codes.ts'
import { colours } from '../terminal/colours.ts'
import { formatDuration } from '../terminal/format.ts'
import { printText, toJson, writeOutput } from '../terminal/output.ts'
import { renderTable } from '../terminal/table.ts'
import type { BenchCommand } from './command.ts'
import { explorePlugins, hasFinding, namesPlugins, printPlugins } from './explore-plugins.ts'
import { jsonArg, pluginArg, pluginPatienceArg } from './shared-args.ts'

/** The explorer is large and no other command needs it: loaded when this one runs. */
type Explorer = typeof import('@vring/explorer')

/** One entry of the catalogue after its exploration. */
interface Explored {
  readonly entry: CatalogueEntry
  /** With the historical bug put back. */
  readonly faulty: Exploration
  /** The shipped code under the same threads. */
  readonly shipped: Exploration
  readonly ms: number
}

/** `vring-bench explore`: schedules explored, bugs found with the shortest schedule that shows each. */
export const explore: BenchCommand = {
  description: 'Explore schedules: each bug of the history is found, the shipped code has none of them',
  runsPlugins: true,
  args: {
    strategy: { type: 'string', description: 'entries that this strategy repairs; default all', valueHint: 's' },
    entry: { type: 'string', description: 'one entry of the catalogue, such as M16', valueHint: 'ID' },
    bound: { type: 'string', description: 'preemptions at most; default unbounded', valueHint: 'N' },
    seed: { type: 'string', description: 'then random schedules of this seed over the shipped code', valueHint: 'N' },
    pct: { type: 'boolean', description: 'draw these by probabilistic concurrency testing, not uniformly' },
    timelines: { type: 'boolean', description: 'print the schedule that shows each bug' },
    accessor: {
      type: 'string',
      description: 'in place of the catalogue: these accessors, with options, under the rings that ship',
      valueHint: 'a,b',
    },
    ...pluginArg,
    ...pluginPatienceArg(KIT_LIMIT_MS),
    ...jsonArg,
  },
  async run(args) {
    const explorer = await import('@vring/explorer')
    const preemptions = args.text('bound') === null ? null : args.integer('bound', 0, 64, 0)
    const json = args.text('json')
    if (namesPlugins(args)) {
      const accessors = await explorePlugins(args, preemptions)
      if (json !== null) writeOutput('--json', json, toJson({ accessors }))
      else printText(printPlugins(accessors, explorer.formatTimeline))
      return hasFinding(accessors) ? EXIT_DISAGREE : EXIT_OK
    }
    const entries = chosen(
      explorer.catalogue(await import('@vring/accessor')),
      args.text('strategy'),
      args.text('entry'),
    )
    const bound = preemptions === null ? {} : { preemptions }
    const explored = entries.map((entry) => exploreEntry(explorer, entry, bound))
    const walks =
      args.text('seed') === null
        ? []
        : entries.map((entry) =>
            walk(explorer, entry, {
              seed: args.integer('seed', 0, 2 ** 32 - 1, 0),
              schedules: 1000,
              strategy: args.flag('pct') ? 'pct' : 'uniform',
            }),
          )
    if (json !== null) writeOutput('--json', json, toJson({ entries: explored.map(plain), random: walks }))
    else
      printText(
        [print(explorer, explored, args.flag('timelines') || entries.length === 1), ...printWalks(walks)].join('\n'),
      )
    const unexpected = explored.some((one) => !asExpected(one)) || walks.some(({ finding }) => finding !== null)
    return unexpected ? EXIT_DISAGREE : EXIT_OK
  },
}

function chosen(
  catalogue: readonly CatalogueEntry[],
  strategy: string | null,
  id: string | null,
): readonly CatalogueEntry[] {
  const strategies = [...new Set(catalogue.map(({ repairedBy }) => repairedBy))]
  const name = strategy === null ? null : oneOf('--strategy', strategy, strategies)
  const one =
    id === null
      ? null
      : oneOf(
          '--entry',
          id,
          catalogue.map((entry) => entry.id),
        )
  return catalogue.filter((entry) => (name === null || entry.repairedBy === name) && (one === null || entry.id === one))
}

function exploreEntry({ explore: search, limitsOf }: Explorer, entry: CatalogueEntry, bound: ExploreOptions): Explored {
  const started = performance.now()
  const options = { ...limitsOf(entry), ...bound }
  const faulty = search(entry.scenario, options)
  const shipped = search(entry.repaired, options)
  return { entry, faulty, shipped, ms: performance.now() - started }
}

/** Random schedules beyond any bound: a finding there is a bug of the shipped code. */
function walk(
  { explore: search }: Explorer,
  entry: CatalogueEntry,
  random: RandomSchedules,
): { id: string } & Exploration {
  return {
    id: entry.id,
    ...search(entry.repaired, { memoryModel: entry.memoryModel, random }),
  }
}

/** One line, where there were random schedules. */
function printWalks(walks: readonly ({ id: string } & Exploration)[]): string[] {
  if (walks.length === 0) return []
  const found = walks.filter(({ finding }) => finding !== null)
  const schedules = walks.reduce((sum, walk) => sum + walk.schedules, 0)
  const ids = found.map(({ id, finding }) => `${id}: ${finding!.kind}, seed ${finding!.seed}`)
  return [`${schedules} random schedules of the shipped code: ${ids.length === 0 ? 'no finding' : ids.join('; ')}`]
}

/** The bug is found and is the one that was expected; the shipped code was exhausted without a finding. */
function asExpected({ entry, faulty, shipped }: Explored): boolean {
  return faulty.finding?.kind === entry.expected && shipped.finding === null
}

function bounded({ preemptions }: CatalogueEntry): string {
  return preemptions === undefined ? '' : ` of ${preemptions} preemptions`
}

function plain(one: Explored): object {
  const { entry, faulty, shipped, ms } = one
  const { id, title, source, variant, expected, memoryModel, preemptions = null, repairedBy } = entry
  const found = faulty.finding?.kind ?? null
  return {
    id,
    title,
    source,
    variant,
    expected,
    found,
    memoryModel,
    preemptions,
    repairedBy,
    asExpected: asExpected(one),
    faulty,
    shipped,
    ms,
  }
}

function print({ formatTimeline }: Explorer, explored: readonly Explored[], timelines: boolean): string {
  const rows = explored.map((one) => [
    one.entry.id,
    one.entry.title,
    one.entry.variant,
    one.faulty.finding === null
      ? colours.red('not found')
      : `${one.faulty.finding.kind}, ${one.faulty.finding.schedule.length} steps`,
    one.entry.repairedBy,
    one.shipped.finding === null
      ? `none in ${one.shipped.schedules} schedules${bounded(one.entry)}`
      : colours.red(one.shipped.finding.kind),
  ])
  const titles = ['id', 'bug', 'put back as', 'shortest schedule that shows it', 'shipped', 'finds in it']
  const steps = explored.reduce((sum, { faulty, shipped }) => sum + faulty.steps + shipped.steps, 0)
  const ms = explored.reduce((sum, one) => sum + one.ms, 0)
  const parts = [
    renderTable(
      titles.map((title) => ({ title })),
      rows,
      colours.bold,
    ),
  ]
  if (timelines)
    for (const { entry, faulty } of explored)
      if (faulty.finding !== null)
        parts.push(`${entry.id}: ${entry.title} (${entry.source})\n${formatTimeline(faulty.finding)}`)
  parts.push(`${steps} schedule steps in ${formatDuration(ms)}`)
  return parts.join('\n\n')
}
