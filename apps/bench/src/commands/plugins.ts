import { loadRegistry } from '../load-registry.ts'
import { colours } from '../terminal/colours.ts'
import { printText, toJson, writeOutput } from '../terminal/output.ts'
import { renderTable } from '../terminal/table.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg, pluginArg } from './shared-args.ts'

/** `vring-bench plugins`: accessors and backends that are known, with what they support. */
export const plugins: BenchCommand = {
  description: 'Accessors and backends that are known, with supports',
  args: { ...pluginArg, ...jsonArg },
  async run(args) {
    const registry = await loadRegistry(args.all('plugin'))
    const json = args.text('json')
    if (json !== null) {
      const { accessors, backends } = registry
      const described = {
        accessors: accessors.map(({ name, apiVersion, description, supports, options }) => {
          return { name, apiVersion, description, supports, options }
        }),
        backends: backends.map(({ name, description, supports }) => ({ name, description, supports })),
      }
      writeOutput('--json', json, toJson(described))
      return 0
    }
    const accessorRows = registry.accessors.map((plugin) => [
      plugin.name,
      yesNames(plugin.supports),
      plugin.options.map((option) => `${option.name}=${option.values.join('|')}`).join(' '),
      plugin.description,
    ])
    const backendRows = registry.backends.map((backend) => [
      backend.argument === undefined ? backend.name : `${backend.name}:${backend.argument}`,
      yesNames(backend.supports),
      backend.description,
    ])
    const accessorTitles = ['accessor', 'supports', 'options', 'what it is']
    printText(
      [
        renderTable(
          accessorTitles.map((title) => ({ title })),
          accessorRows,
          colours.bold,
        ),
        '',
        renderTable(
          ['backend', 'supports', 'what it is'].map((title) => ({ title })),
          backendRows,
          colours.bold,
        ),
      ].join('\n'),
    )
    return 0
  },
}

function yesNames(supports: object): string {
  return Object.entries(supports)
    .filter(([, value]) => value === true)
    .map(([name]) => name)
    .join(' ')
}
