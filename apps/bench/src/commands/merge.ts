import { VARIADIC } from '../arguments.ts'
import { mergeResults, missingParts } from '../results/merge-results.ts'
import { readResults } from '../results/read-results.ts'
import { runEnd } from '../run/run-end.ts'
import { checkApart, STDOUT, toJson, writeOutput } from '../terminal/output.ts'
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
    const paths = args.all('parts')
    const json = args.text('json') ?? STDOUT
    checkApart('--json', json, paths, 'one of the parts')
    const parts = paths.map((path) => readResults('PARTS', path))
    const merged = mergeResults(parts)
    writeOutput('--json', json, toJson(merged))
    const missing = missingParts(parts)
    if (missing.length > 0) process.stderr.write(`vring-bench: incomplete without ${missing.join(', ')}\n`)
    const { exitCode, lines } = runEnd({ disagreements: [], failedPeers: [], interrupted: false }, merged)
    for (const line of lines) process.stderr.write(`vring-bench: ${line}\n`)
    return exitCode
  },
}
