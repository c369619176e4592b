import type { Arguments, OptionTable } from '@vring/cli'

/** `--json FILE`: `-` is standard output, which then carries nothing else. */
export const jsonArg = {
  json: { type: 'string', description: 'write JSON there; - is standard output', valueHint: 'FILE' },
} as const satisfies OptionTable

/** `--classes NEAR,FAR`. */
export const classesArg = {
  classes: {
    type: 'string',
    description: 'round trips in ns at which near ends and far begins; default 80,225',
    valueHint: 'NEAR,FAR',
  },
} as const satisfies OptionTable

/** `--patience-ms N`: of cells, and of what else runs code of a plugin. */
export const patienceArg = {
  'patience-ms': {
    type: 'string',
    description:
      'how late a cell may be before it counts as hung, default 30000, and what else runs a plugin, default 180000',
    valueHint: 'N',
  },
} as const satisfies OptionTable

/** `--patience-ms N` of a command that measures no cell. */
export function pluginPatienceArg(standardMs: number): OptionTable {
  const description = `how long a plugin may take before it is ended, default ${standardMs}`
  return { 'patience-ms': { ...patienceArg['patience-ms'], description } }
}

/** What of {@link patienceArg} is given, or the default, in ms. */
export function patienceOf(args: Arguments, standard: number): number {
  return args.integer('patience-ms', 1000, 3_600_000, standard)
}

/** `--plugin SPEC`, any number of times. */
export const pluginArg = {
  plugin: {
    type: 'string',
    description: 'load accessors and backends: package, path or file URL; can be given more than once',
    valueHint: 'SPEC',
  },
} as const satisfies OptionTable
