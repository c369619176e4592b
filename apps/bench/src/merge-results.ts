import { usageError } from './bench-error.ts'
import { groupsOf } from './cell-groups.ts'
import { withMeasuredClaims } from './model-results.ts'
import type { Results } from './results.ts'
import { comparePairs, pairsOfGroup } from './run/compare-cells.ts'
import { seededRandom } from './stats/index.ts'

/**
 * One result of the parts of a run: cells side by side, comparisons tested anew over all of them. Parts of several machines
 * keep the first one's environment and are flagged. A part that is missing makes the whole incomplete.
 *
 * @throws BenchError with exit code 2: another seed, parts of different runs, or a cell that two parts have
 */
export function mergeResults(parts: readonly Results[]): Results {
  const first = parts[0]
  if (first === undefined) throw usageError('PARTS', 'missing; accepted: result files')
  const cells = parts.flatMap((part) => part.cells)
  const seen = new Set<string>()
  for (const { id } of cells) {
    if (seen.has(id)) throw usageError('PARTS', `${id} is in two of them; each cell runs once`)
    seen.add(id)
  }
  const counts = new Set(parts.flatMap(({ shard }) => (shard === undefined ? [] : [shard.split('/')[1]])))
  if (counts.size > 1)
    throw usageError(
      'PARTS',
      `they are parts of runs in ${[...counts].join(' and ')} parts; accepted: parts of one run`,
    )
  for (const { seed } of parts)
    if (seed !== first.seed)
      throw usageError('PARTS', `seeds ${first.seed} and ${seed} differ; accepted: parts of one run`)
  const machines = [...new Set(parts.map(({ environment }) => `${environment.cpu}, ${environment.kernel}`))]
  const busy = [...new Set(parts.flatMap(({ environment }) => environment.busy))]
  if (machines.length > 1) busy.push(`parts come from different machines: ${machines.join(' and ')}`)
  const { shard: _shard, ...whole } = first
  return withMeasuredClaims({
    ...whole,
    startedAt: parts.map(({ startedAt }) => startedAt).sort()[0]!,
    environment: { ...first.environment, busy },
    cells,
    peers: parts.flatMap((part) => part.peers),
    comparisons: comparePairs(groupsOf(cells).flatMap(pairsOfGroup), seededRandom(first.seed)),
    complete: parts.every(({ complete }) => complete !== false) && missingParts(parts).length === 0,
    residentBytes: Math.max(...parts.map(({ residentBytes = 0 }) => residentBytes)),
  })
}

/** `3/4` and so on: parts of the sharded run that are not among these. Empty where a file is no part of one. */
export function missingParts(parts: readonly Results[]): string[] {
  const shards = parts.map(({ shard }) => shard?.split('/').map(Number))
  const counts = new Set(shards.map((shard) => shard?.[1]))
  const [of] = counts
  if (counts.size !== 1 || of === undefined) return []
  const there = new Set(shards.map((shard) => shard?.[0]))
  return Array.from({ length: of }, (_, index) => index + 1)
    .filter((part) => !there.has(part))
    .map((part) => `${part}/${of}`)
}
