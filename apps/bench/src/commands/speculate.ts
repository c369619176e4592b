import { refused } from '@vring/layout'
import { runAccessorCode } from '../cell/accessor-code.ts'
import { parseAccessorChoice } from '../cell/cell-spec.ts'
import { KIT_LIMIT_MS } from '../conformance/examine-plugin.ts'
import { loadRegistry } from '../load-registry.ts'
import { printText, toJson, writeOutput } from '../terminal/output.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg, pluginArg, pluginPatienceArg } from './shared-args.ts'

/** `vring-bench speculate`: what each accessor would load on a mispredicted path. */
export const speculate: BenchCommand = {
  description: 'What each accessor would load on a mispredicted path',
  runsPlugins: true,
  args: {
    accessor: {
      type: 'string',
      description: 'accessors, with options; default all',
      valueHint: 'a,b',
    },
    ring: {
      type: 'string',
      description: 'shipped, 2019: with or without the mask on what a driver gives as an index; default both',
      valueHint: 'a,b',
    },
    depth: { type: 'string', description: 'mispredicted branches on one path; default 2', valueHint: 'N' },
    ...pluginArg,
    ...pluginPatienceArg(KIT_LIMIT_MS),
    ...jsonArg,
  },
  async run(args) {
    // Loaded here: no other command needs the checker.
    const { formatSpeculation, speculate: check } = await import('@vring/speculation')
    const registry = await loadRegistry(args.all('plugin'))
    const texts = args.list('accessor') ?? registry.accessors.map(({ name }) => name)
    const depth = args.integer('depth', 1, 4, 2)
    const rings = ringsOf(args.list('ring'))
    const reports = texts.flatMap((text) => {
      const { name, options } = parseAccessorChoice(text, registry)
      return rings.map((ring) => {
        const nospec = ring === '2019' ? 'none' : 'mask'
        return runAccessorCode(name, () => check(registry.accessor(name), { options, depth, nospec }))
      })
    })
    const json = args.text('json')
    if (json !== null) writeOutput('--json', json, toJson({ reports }))
    else printText(formatSpeculation(...reports))
    return 0
  },
}

/** Which rings: the one that ships, the one of 2019 without a mask, or both. */
function ringsOf(given: readonly string[] | null): readonly string[] {
  const wrong = given?.find((ring) => !RINGS.includes(ring))
  if (wrong !== undefined) throw refused('ERR_UNKNOWN_NAME', '--ring', wrong, RINGS.join(', '))
  return given ?? RINGS
}

const RINGS: readonly string[] = ['shipped', '2019']
