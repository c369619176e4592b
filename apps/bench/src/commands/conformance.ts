import type { AccessorPlugin } from '@vring/accessor'
import { runConformance } from '@vring/conformance'
import { type NetSubject, runNetConformance } from '@vring/net-conformance'
import type { BackendPlugin } from '@vring/vhost-net'
import { usageError } from '../bench-error.ts'
import { EXIT_DISAGREE, EXIT_OK } from '../exit-codes.ts'
import { loadRegistry } from '../load-registry.ts'
import { printText, toJson, writeOutput } from '../output.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg, pluginArg } from './shared-args.ts'

/** One case of one plugin, of either kind. */
interface Case {
  readonly suite: string
  readonly title: string
  readonly failure: string | null
  /** Of an accessor: option values beside the defaults, and the earlier case that failed for the same cause. */
  readonly options?: string
  readonly follows?: string | null
}

/** What came of one plugin. */
export interface ConformanceReport {
  readonly plugin: string
  readonly kind: 'accessor' | 'backend'
  readonly cases: readonly Case[]
}

/** `vring-bench conformance`: the conformance kit on plugins. */
export const conformance: BenchCommand = {
  description: 'The conformance kit on plugins; ends with 3 when a case fails',
  args: { ...pluginArg, ...jsonArg },
  async run(args) {
    const specs = args.all('plugin')
    if (specs.length === 0) throw usageError('--plugin', 'missing: accepted: a package, a path or a file URL')
    const builtIn = await loadRegistry([])
    const all = await loadRegistry(specs)
    const reports = [
      ...all.accessors.filter((one) => !builtIn.accessors.some(({ name }) => name === one.name)).map(examineAccessor),
      ...all.backends.filter((one) => !builtIn.backends.some(({ name }) => name === one.name)).map(examineBackend),
    ]
    const failed = reports.some(({ cases }) => cases.some(({ failure }) => failure !== null))
    const json = args.text('json')
    if (json !== null) writeOutput('--json', json, toJson({ reports }))
    else printText(reports.map(reportText).join('\n\n'))
    return failed ? EXIT_DISAGREE : EXIT_OK
  },
}

function examineAccessor(plugin: AccessorPlugin): ConformanceReport {
  return { plugin: plugin.name, kind: 'accessor', cases: runConformance(plugin) }
}

/** Without `sent` and `arrive`: what a backend does with frames only its author can show, in a test of their own. */
function examineBackend(plugin: BackendPlugin): ConformanceReport {
  const subject: NetSubject = { plugin, create: () => plugin.create() }
  return { plugin: plugin.name, kind: 'backend', cases: runNetConformance(subject) }
}

/** The verdict, then a line a cause, with how many more cases fail for it. */
function reportText({ plugin, kind, cases }: ConformanceReport): string {
  const failed = cases.filter(({ failure }) => failure !== null)
  const lines = failed
    .filter(({ follows = null }) => follows === null)
    .map(({ suite, title, options = '', failure }) => {
      const more = failed.filter((one) => one.follows === title && (one.options ?? '') === options).length
      const also = more === 0 ? '' : ` (and ${more} more ${more === 1 ? 'case' : 'cases'})`
      const where = options === '' ? suite : `${options}: ${suite}`
      return `${where}: ${title}: ${failure!.replaceAll(/\s+/g, ' ')}${also}`
    })
  const verdict =
    failed.length === 0
      ? `conforms: ${cases.length} cases hold`
      : `${lines.length === 1 ? '1 cause' : `${lines.length} causes`}: ${failed.length} of ${cases.length} cases fail`
  return [`${kind} ${plugin}: ${verdict}`, ...lines].join('\n')
}
