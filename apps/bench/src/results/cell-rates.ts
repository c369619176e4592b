import { formatRate } from '../terminal/format.ts'
import { DEFAULT_SETUP, publishedFor } from './model-results.ts'
import type { CellResult, Results } from './results.ts'

/** What the model says of a cell under patch V4's profile, for a table; `≤` where a step has no price. */
export function modelledRate(cell: CellResult, smap: 'off' | 'on'): string {
  const row = cell.modelled.find((candidate) => candidate.smap === smap && candidate.profile === DEFAULT_SETUP)
  if (row === undefined) return '–'
  return `${(row.unpriced ?? []).length > 0 ? '≤ ' : ''}${formatRate(row.mpps)}`
}

/** What V4 or its thread published of what a cell does, for a table. */
export function publishedRate({ published }: Results, cell: CellResult, smap: 'off' | 'on'): string {
  const row = publishedFor(published, cell, smap)
  return row === undefined ? '–' : formatRate(row.mpps)
}
