import { usageError } from './bench-error.ts'
import { groupKey } from './cell-spec.ts'
import type { Results } from './results.ts'
import { comparePairs, pairsOfGroup } from './run/compare-cells.ts'
import { seededRandom } from './stats/index.ts'

/**
 * One result of the parts of a run: cells side by side, comparisons tested anew over all of them. Parts of several machines
 * keep the first one's environment and are flagged.
 *
 * @throws BenchError with exit code 2: another seed, or a cell that two parts have
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
  for (const { seed } of parts)
    if (seed !== first.seed)
      throw usageError('PARTS', `seeds ${first.seed} and ${seed} differ; accepted: parts of one run`)
  const groups = new Map<string, typeof cells>()
  for (const cell of cells) {
    const key = groupKey(cell)
    groups.set(key, [...(groups.get(key) ?? []), cell])
  }
  const machines = [...new Set(parts.map(({ environment }) => `${environment.cpu}, ${environment.kernel}`))]
  const busy = [...new Set(parts.flatMap(({ environment }) => environment.busy))]
  if (machines.length > 1) busy.push(`parts come from different machines: ${machines.join(' and ')}`)
  const { shard: _shard, ...whole } = first
  return {
    ...whole,
    startedAt: parts.map(({ startedAt }) => startedAt).sort()[0]!,
    environment: { ...first.environment, busy },
    cells,
    peers: parts.flatMap((part) => part.peers),
    comparisons: comparePairs([...groups.values()].flatMap(pairsOfGroup), seededRandom(first.seed)),
    complete: parts.every(({ complete }) => complete !== false),
    residentBytes: Math.max(...parts.map(({ residentBytes = 0 }) => residentBytes)),
  }
}
