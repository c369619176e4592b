import { VARIADIC } from '../arguments.ts'
import { mergeResults } from '../merge-results.ts'
import { STDOUT, toJson, writeOutput } from '../output.ts'
import { readResults } from '../read-results.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg } from './shared-args.ts'

/** `vring-bench merge`: one result of the parts of a sharded run. */
export const merge: BenchCommand = {
  description: 'Put the parts of a sharded run (--shard i/n) together',
  args: {
    parts: { type: 'positional', description: 'results.json of each part', required: true, valueHint: VARIADIC },
    ...jsonArg,
  },
  async run(args) {
    const merged = mergeResults(args.all('parts').map((path) => readResults('PARTS', path)))
    writeOutput('--json', args.text('json') ?? STDOUT, toJson(merged))
    return 0
  },
}
