import type { CellResult } from './results.ts'

/** What cells with `barrier=1` are, for people; null: there are none. */
export function barrierNote(cells: readonly CellResult[]): string | null {
  if (!cells.some(({ sweep }) => sweep?.['barrier'] === 1)) return null
  return 'barrier 1: a locked add stands in for each lfence; alone it costs about as much, and it stops no speculation.'
}
