import type { OptionTable } from '@vring/cli'

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

/** `--plugin SPEC`, any number of times. */
export const pluginArg = {
  plugin: {
    type: 'string',
    description: 'load accessors and backends: package, path or file URL; can be given more than once',
    valueHint: 'SPEC',
  },
} as const satisfies OptionTable
