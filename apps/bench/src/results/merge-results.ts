import { usageError } from '../bench-error.ts'
import { groupsOf } from '../cell/cell-groups.ts'
import { parseShard } from '../plan/parse-shard.ts'
import { comparePairs, pairsOfGroup } from '../run/compare-cells.ts'
import { seededRandom } from '../stats/index.ts'
import { withMeasuredClaims } from './model-results.ts'
import type { Results } from './results.ts'

/**
 * One result of the parts of a run, in whatever order they are given: cells side by side, comparisons tested again over all
 * of them. Parts of several machines keep the first one's environment and are flagged. A part that is missing makes the
 * whole incomplete.
 *
 * @throws BenchError with exit code 2: another seed, parts of different runs, or a cell that two parts have
 */
export function mergeResults(given: readonly Results[]): Results {
  const parts = [...given].sort((a, b) => partOf(a) - partOf(b))
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
  // That of the first cell there is: a part may be empty.
  const noiseFloor = parts.find((part) => part.noiseFloor !== null)?.noiseFloor ?? null
  return withMeasuredClaims({
    ...whole,
    command: withoutShard(first.command),
    startedAt: parts.map(({ startedAt }) => startedAt).sort()[0]!,
    environment: { ...first.environment, busy },
    cells,
    peers: parts.flatMap((part) => part.peers),
    noiseFloor,
    comparisons: comparePairs(
      groupsOf(cells).flatMap((group) => pairsOfGroup(group, noiseFloor)),
      seededRandom(first.seed),
    ),
    complete: parts.every(({ complete }) => complete !== false) && missingParts(parts).length === 0,
    residentBytes: Math.max(...parts.map(({ residentBytes = 0 }) => residentBytes)),
  })
}

/** Where a part is in its run: `part-10.json` is listed before `part-2.json`. What is no part is first. */
function partOf({ shard }: Results): number {
  return parseShard(shard ?? '')?.part ?? 0
}

/** The command of the whole: without `--shard i/n`. */
function withoutShard(command: readonly string[]): string[] {
  return command.filter(
    (word, index) => word !== '--shard' && !word.startsWith('--shard=') && command[index - 1] !== '--shard',
  )
}

/** `3/4` and so on: parts of a sharded run that are not among these, which may be beside files that are no part of one. */
export function missingParts(parts: readonly Results[]): string[] {
  const shards = parts.flatMap(({ shard }) => parseShard(shard ?? '') ?? [])
  const of = shards[0]?.of
  if (of === undefined) return []
  const there = new Set(shards.map(({ part }) => part))
  return Array.from({ length: of }, (_, index) => index + 1)
    .filter((part) => !there.has(part))
    .map((part) => `${part}/${of}`)
}
