import type { Arguments } from '@vring/cli'
import type { Finding, PluginExploration } from '@vring/explorer'
import { usageError } from '../bench-error.ts'
import { runAccessorCode } from '../cell/accessor-code.ts'
import { parseAccessorChoice } from '../cell/cell-spec.ts'
import { isBuiltIn, loadRegistry } from '../load-registry.ts'
import { colours } from '../terminal/colours.ts'
import { renderTable } from '../terminal/table.ts'

/** What came of one accessor. */
export interface ExploredPlugin {
  /** Name and options, as they were given. */
  readonly accessor: string
  readonly explored: readonly PluginExploration[]
}

/** Are accessors named, whose every interleaving is asked for in place of the catalogue's? */
export function namesPlugins(args: Arguments): boolean {
  return args.all('plugin').length > 0 || args.list('accessor') !== null
}

/**
 * Explores the accessors of `--accessor`, or else all that `--plugin` brought: the rings that ship over each.
 *
 * @throws BenchError of usage for an unknown accessor, one that can't be explored, or an option of the catalogue
 */
export async function explorePlugins(args: Arguments, bound: number | null): Promise<ExploredPlugin[]> {
  for (const option of ['entry', 'strategy', 'seed', 'pct', 'timelines'])
    if (args.flag(option))
      throw usageError(`--${option}`, 'goes with the catalogue; accepted with --plugin or --accessor: --bound, --json')
  const { explorePlugin } = await import('@vring/explorer')
  const parts = await import('@vring/accessor')
  const registry = await loadRegistry(args.all('plugin'))
  const added = registry.accessors.filter((one) => !isBuiltIn('accessor', one.name))
  const texts = args.list('accessor') ?? added.map(({ name }) => name)
  if (texts.length === 0) throw usageError('--plugin', 'no accessor in it; accepted: a plugin of an accessor')
  return texts.map((text) => {
    const { name, options } = parseAccessorChoice(text, registry)
    const plugin = registry.accessor(name)
    if (!parts.supportsOf(plugin, options).noIotlb)
      throw usageError('--accessor', `${name} only works with a device IOTLB, which the explored machine has not`)
    const limits = bound === null ? {} : { preemptions: bound }
    return {
      accessor: text,
      explored: runAccessorCode(name, () => explorePlugin(plugin, { options, parts, ...limits })),
    }
  })
}

/** Had anything of it a finding, or was it given up? */
export function hasFinding(plugins: readonly ExploredPlugin[]): boolean {
  return plugins.some(({ explored }) => explored.some(({ finding, exhausted }) => finding !== null || !exhausted))
}

/** A table of each accessor; the schedules of findings below it. */
export function printPlugins(plugins: readonly ExploredPlugin[], formatTimeline: (finding: Finding) => string): string {
  const titles = ['scenario', 'model', 'accesses mapped / user', 'finds']
  return plugins
    .flatMap(({ accessor, explored }) => [
      colours.bold(accessor),
      renderTable(
        titles.map((title) => ({ title })),
        explored.map((one) => [
          one.scenario,
          one.memoryModel,
          `${one.accesses.mapped} / ${one.accesses.user}`,
          verdictOf(one),
        ]),
        colours.bold,
      ),
      ...explored.flatMap(({ scenario, description, finding }) =>
        finding === null ? [] : [`${scenario}: ${description}\n${shown(finding, formatTimeline)}`],
      ),
    ])
    .join('\n\n')
}

/** The schedule with its finding; where no step has to do with it, what was found alone. */
function shown(finding: Finding, formatTimeline: (finding: Finding) => string): string {
  return finding.schedule.length > 0 ? formatTimeline(finding) : `${finding.kind}: ${finding.message}`
}

function verdictOf({ finding, exhausted, schedules, states }: PluginExploration): string {
  if (finding !== null) return colours.red(`${finding.kind}, ${finding.schedule.length} steps`)
  return exhausted ? `none in ${schedules} schedules` : colours.red(`not exhausted in ${states} states`)
}
