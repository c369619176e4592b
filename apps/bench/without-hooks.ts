import { readFileSync } from 'node:fs'
import type { Options } from 'tsup'

/** Sources that have hooks. */
const DATA_PLANE = /packages\/(accessor[^/]*|mmu-notifier|virtqueue|vhost-net)\/src\/.*\.ts$/

/** Steps that do nothing on the port that ships, and the counting of accesses. */
const HOOK_STATEMENT =
  /^\s*((this\.)?cpu\.(stac|clac|lfence|lock|unlock|iotlbLookup)\(\)|this\.(desc|driver|device)Count\.add\(\w+\)|this\.hits = \(this\.hits \+ (1|count)\) \| 0)$/gm
/** What is a hook wherever it stands: one that is left is one that the build would still pay for. */
const HOOK = /cpu\.(stac|clac|lfence|lock|unlock|iotlbLookup|predict)\(|this\.hits = \(/
/** A branch that may be mispredicted is its condition. */
const PREDICT = /(this\.)?cpu\.predict\(/g

/**
 * Builds the data plane without what counting, tracing and the speculation checker hook into: what is left is what a
 * version written for speed alone would be. A build fails when there was no hook to take out, or one is left.
 */
export function withoutHooks(): NonNullable<Options['esbuildPlugins']>[number] {
  return {
    name: 'without-hooks',
    setup(build) {
      let removed = 0
      build.onLoad({ filter: DATA_PLANE }, ({ path }) => {
        const contents = readFileSync(path, 'utf8').replace(HOOK_STATEMENT, () => {
          removed++
          return ''
        })
        const bare = contents.replace(PREDICT, '(')
        const left = HOOK.exec(bare)
        if (left !== null) return { errors: [{ text: `without-hooks: ${left[0]} is left in ${path}` }] }
        return { contents: bare, loader: 'ts' }
      })
      build.onEnd(() => (removed > 0 ? null : { errors: [{ text: 'without-hooks: found no hook to take out' }] }))
    },
  }
}
