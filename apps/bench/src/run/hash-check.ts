import type { CellOutcome } from './group-outcome.ts'

/**
 * Accessors of one group whose results differ from the others, or from one trial to the next: each line names a cell and
 * what it differs in. Empty when all agree. The floor takes part with its laps.
 */
export function hashDisagreements(cells: readonly CellOutcome[]): string[] {
  const done = cells.filter(({ finish }) => finish !== null)
  const lines: string[] = []
  for (const { spec, trials } of cells) {
    const index = trials.findIndex(({ hash }) => hash !== trials[0]!.hash)
    if (index > 0)
      lines.push(
        `${spec.id}: hash ${trials[index]!.hash} of trial ${index + 1} differs from ${trials[0]!.hash} of trial 1`,
      )
  }
  const check = (what: string, hashes: readonly (readonly [string, string])[]): void => {
    const first = hashes[0]
    if (first === undefined) return
    for (const [id, hash] of hashes)
      if (hash !== first[1]) lines.push(`${id}: ${what} ${hash} differs from ${first[1]} of ${first[0]}`)
  }
  check(
    'laps',
    done.map(({ spec, finish }) => [spec.id, finish!.lapHash]),
  )
  check(
    'hash',
    done.filter(({ finish }) => finish!.hash !== '').map(({ spec, finish }) => [spec.id, finish!.hash]),
  )
  return lines
}
