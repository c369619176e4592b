import type { Registry, SelectionConditions } from '@vring/registry'
import { oneOf } from '../arguments.ts'
import { usageError } from '../bench-error.ts'
import { parseAccessorChoice } from '../cell/cell-spec.ts'
import { loadRegistry } from '../load-registry.ts'
import { colours } from '../terminal/colours.ts'
import { printText, toJson, writeOutput } from '../terminal/output.ts'
import { renderTable } from '../terminal/table.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg, pluginArg } from './shared-args.ts'

/** `vring-bench explain`: which accessor would serve, why, and why each other one would not. */
export const explain: BenchCommand = {
  description: 'Which accessor would serve, why, and why each other one was rejected',
  args: {
    accessor: { type: 'string', description: 'choose among these only', valueHint: 'a,b' },
    'file-backed': { type: 'boolean', description: 'the ring lies in a file mapping' },
    iotlb: { type: 'boolean', description: 'a device IOTLB is on' },
    'no-prefetch': { type: 'boolean', description: 'rounds do not begin with metadata prefetch' },
    'no-notifier': { type: 'boolean', description: 'the address space has no MMU notifier' },
    'speculation-safe': { type: 'boolean', description: 'only accessors that are safe when a check is mispredicted' },
    force: { type: 'string', description: 'take this one as long as it can work at all', valueHint: 'a' },
    ...pluginArg,
    ...jsonArg,
  },
  async run(args) {
    const all = await loadRegistry(args.all('plugin'))
    const named = args.list('accessor')?.map((text) => parseAccessorChoice(text, all).name)
    const registry = named === undefined ? all : all.only(named)
    const force = forced(args.text('force'), all, registry)
    const conditions: SelectionConditions = {
      fileBacked: args.flag('file-backed'),
      iotlb: args.flag('iotlb'),
      prefetch: !args.flag('no-prefetch'),
      notifier: !args.flag('no-notifier'),
      speculationSafe: args.flag('speculation-safe'),
      ...(force === null ? {} : { force }),
    }
    const selection = registry.select(conditions)
    const json = args.text('json')
    if (json !== null) {
      writeOutput('--json', json, toJson({ conditions, ...selection }))
      return 0
    }
    const rows = [
      [colours.green(selection.chosen), 'serves', selection.why],
      ...selection.rejected.map(({ name, reason }) => [name, 'rejected', reason]),
    ]
    printText(
      renderTable(
        ['accessor', '', 'because'].map((title) => ({ title })),
        rows,
        colours.bold,
      ),
    )
    return 0
  },
}

/** The accessor of `--force`: one that is known, and that `--accessor` did not leave out. */
function forced(name: string | null, all: Registry, among: Registry): string | null {
  if (name === null) return null
  const names = (registry: Registry): string[] => registry.accessors.map((accessor) => accessor.name)
  oneOf('--force', name, names(all))
  if (!names(among).includes(name))
    throw usageError('--force', `${name} is known, but --accessor leaves it out; accepted: ${names(among).join(', ')}`)
  return name
}
