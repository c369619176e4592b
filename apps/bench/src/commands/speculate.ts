import { runAccessorCode } from '../accessor-code.ts'
import { parseAccessorChoice } from '../cell-spec.ts'
import { loadRegistry } from '../load-registry.ts'
import { printText, toJson, writeOutput } from '../output.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg, pluginArg } from './shared-args.ts'

/** `vring-bench speculate`: what each accessor would load on a mispredicted path. */
export const speculate: BenchCommand = {
  description: 'What each accessor would load on a mispredicted path',
  args: {
    accessor: {
      type: 'string',
      description: 'accessors, with options; default all, and vmap-direct:nospec=true',
      valueHint: 'a,b',
    },
    depth: { type: 'string', description: 'mispredicted branches on one path; default 2', valueHint: 'N' },
    ...pluginArg,
    ...jsonArg,
  },
  async run(args) {
    // Loaded here: no other command needs the checker.
    const { formatSpeculation, speculate: check } = await import('@vring/speculation')
    const registry = await loadRegistry(args.all('plugin'))
    const texts = args.list('accessor') ?? [...registry.accessors.map(({ name }) => name), 'vmap-direct:nospec=true']
    const depth = args.integer('depth', 1, 4, 2)
    const reports = texts.map((text) => {
      const { name, options } = parseAccessorChoice(text, registry)
      return runAccessorCode(name, () => check(registry.accessor(name), { options, depth }))
    })
    const json = args.text('json')
    if (json !== null) writeOutput('--json', json, toJson({ reports }))
    else printText(reports.map(formatSpeculation).join('\n\n'))
    return 0
  },
}
