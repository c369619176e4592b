import { usageError } from '../bench-error.ts'
import { backendChoice, checkBackend } from '../cell/backend-choice.ts'
import { type ConformanceReport, causesOf, failedCases } from '../conformance/conformance-report.ts'
import { examinePlugin, KIT_LIMIT_MS } from '../conformance/examine-plugin.ts'
import { EXIT_DISAGREE, EXIT_OK } from '../exit-codes.ts'
import { isBuiltIn, loadRegistry } from '../load-registry.ts'
import { printText, toJson, writeOutput } from '../terminal/output.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg, patienceOf, pluginArg, pluginPatienceArg } from './shared-args.ts'

/** `vring-bench conformance`: the conformance kit on plugins. */
export const conformance: BenchCommand = {
  description: 'The conformance kit on plugins; ends with 3 when a case fails',
  args: {
    backend: {
      type: 'string',
      description: 'make these backends of the plugin from a text',
      valueHint: 'NAME:TEXT',
    },
    ...pluginArg,
    ...pluginPatienceArg(KIT_LIMIT_MS),
    ...jsonArg,
  },
  async run(args) {
    const specs = args.all('plugin')
    if (specs.length === 0) throw usageError('--plugin', 'missing: accepted: a package, a path or a file URL')
    const limitMs = patienceOf(args, KIT_LIMIT_MS)
    const reports: ConformanceReport[] = []
    const { accessors, backends } = await loadRegistry(specs)
    const texts = args.list('backend') ?? []
    for (const text of texts) checkBackend(text, backends)
    const argumentOf = (name: string): string | null =>
      texts.map(backendChoice).find((choice) => choice.name === name)?.argument ?? null
    for (const [kind, parts] of [
      ['accessor', accessors],
      ['backend', backends],
    ] as const)
      for (const { name } of parts)
        if (!isBuiltIn(kind, name))
          reports.push(
            await examinePlugin({ plugins: specs, kind, name, argument: argumentOf(name), options: null }, limitMs),
          )
    const json = args.text('json')
    if (json !== null) writeOutput('--json', json, toJson({ reports }))
    else printText(reports.map(reportText).join('\n\n'))
    return reports.some((report) => failedCases(report).length > 0) ? EXIT_DISAGREE : EXIT_OK
  },
}

/** The verdict, then a line a cause. */
function reportText(report: ConformanceReport): string {
  const { plugin, kind, cases, unseen = 0 } = report
  const failed = failedCases(report)
  const causes = causesOf(report)
  const verdict =
    failed.length === 0
      ? `conforms: ${cases.length} cases hold`
      : `${causes.length === 1 ? '1 cause' : `${causes.length} causes`}: ${failed.length} of ${cases.length} cases fail`
  const notAsked =
    unseen === 0
      ? []
      : [
          `not asked here: ${unseen} more, which need your own \`sent\` and \`arrive\` (runNetConformance of @vring/net-conformance)`,
        ]
  return [`${kind} ${plugin}: ${verdict}`, ...causes, ...notAsked].join('\n')
}
