import { eraOption } from '@vring/accessor'
import { runAccessorCode } from '../accessor-code.ts'
import { oneOf } from '../arguments.ts'
import { type AccessorChoice, makeCell, parseAccessorChoice } from '../cell-spec.ts'
import { colours } from '../colours.ts'
import { countSteps, type PacketSteps } from '../count-steps.ts'
import { loadRegistry } from '../load-registry.ts'
import { printText, toJson, writeOutput } from '../output.ts'
import { renderTable } from '../table.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg, pluginArg } from './shared-args.ts'

/** Payload steps differ by era: Linux 5.0 copies header and frame apart, 6.18 in one piece. */
const PAYLOAD: Readonly<Record<string, 'copy' | 'copy-split'>> = { '2019': 'copy-split' }

/** `vring-bench steps`: steps per packet of each accessor, counted by running the real datapath. */
export const steps: BenchCommand = {
  description: 'Steps per packet of each accessor, counted by running the real datapath',
  args: {
    accessor: { type: 'string', description: 'accessors; default all', valueHint: 'a,b' },
    era: {
      type: 'string',
      description: `kernel eras: ${eraOption.values.join(', ')}; default 2019,6.18`,
      valueHint: '2019,6.18',
    },
    seed: { type: 'string', description: 'seed of the frames; default 1', valueHint: 'N' },
    ...pluginArg,
    ...jsonArg,
  },
  async run(args) {
    const registry = await loadRegistry(args.all('plugin'))
    const eras = (args.list('era') ?? ['2019', '6.18']).map((era) => oneOf('--era', era, eraOption.values))
    const seed = args.integer('seed', 0, 2 ** 32 - 1, 1)
    const texts = args.list('accessor') ?? registry.accessors.map(({ name }) => name)
    const rows: ({ accessor: string; era: string; options: object } & PacketSteps)[] = []
    for (const text of texts) {
      const choice = parseAccessorChoice(text, registry)
      const plugin = registry.accessor(choice.name)
      for (const { era, options } of inEras(choice, plugin.options.some(({ name }) => name === 'era') ? eras : [])) {
        const spec = makeCell({ ...choice, options }, plugin, { payload: PAYLOAD[era] ?? 'copy' })
        rows.push({
          accessor: choice.name,
          era,
          options,
          ...runAccessorCode(choice.name, () => countSteps(spec, registry, seed)),
        })
      }
    }
    const json = args.text('json')
    if (json !== null) writeOutput('--json', json, toJson({ perPacket: rows }))
    else printText(table(rows))
    return 0
  },
}

/** The choice once an era; once, era `-`, when the accessor knows none. */
function inEras(choice: AccessorChoice, eras: readonly string[]): { era: string; options: Record<string, string> }[] {
  if (eras.length === 0) return [{ era: '–', options: { ...choice.options } }]
  return eras.map((era) => ({ era, options: { ...choice.options, era } }))
}

function table(rows: readonly ({ accessor: string; era: string } & PacketSteps)[]): string {
  const names = [...new Set(rows.flatMap(({ metadata }) => Object.keys(metadata)))]
  const columns = [
    { title: 'accessor' },
    { title: 'era' },
    { title: 'accesses', align: 'right' as const },
    ...names.map((title) => ({ title, align: 'right' as const })),
    { title: 'payload' },
  ]
  const cells = rows.map(({ accessor, era, accesses, metadata, payload }) => [
    accessor,
    era,
    accesses.toFixed(3),
    ...names.map((name) => (metadata[name] === undefined ? '' : metadata[name].toFixed(3))),
    Object.entries(payload)
      .map(([name, count]) => `${name} ${Number(count.toFixed(2))}`)
      .join(' '),
  ])
  return `Metadata steps per packet, one descriptor each, the driver always ahead\n${renderTable(columns, cells, colours.bold)}`
}
