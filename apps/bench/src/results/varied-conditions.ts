import { cellLabel } from '../cell/cell-spec.ts'
import { conformanceMark } from '../conformance/conformance-mark.ts'
import type { CellResult } from './results.ts'

/** A condition that the cells of a table differ in beside the accessor: a column of it. */
export interface VariedCondition {
  readonly title: 'ring' | 'driver' | 'backend' | 'frames'
  of(cell: CellResult): string
}

const CONDITIONS: readonly VariedCondition[] = [
  { title: 'ring', of: ({ ring, inOrder }) => ringText(ring, inOrder) },
  { title: 'driver', of: ({ driver }) => driver },
  { title: 'backend', of: ({ backend }) => backend },
  // As the id has it: `64B`, `imix`, or the name of a capture. A result has a mix by its mean only.
  { title: 'frames', of: ({ id }) => id.split('/')[4] ?? '' },
]

/** Conditions that these cells differ in. What a sweep varies has columns, or an axis, of its own. */
export function variedConditions(cells: readonly CellResult[]): VariedCondition[] {
  const swept = new Set(cells.flatMap(({ sweep }) => Object.keys(sweep ?? {})))
  return CONDITIONS.filter(({ title, of }) => {
    if (title === 'frames' && swept.has('frame-bytes')) return false
    return new Set(cells.map(of)).size > 1
  })
}

/** `packed, in order`: format and order of a ring, for a table. */
export function ringText(ring: string, inOrder = false): string {
  return inOrder ? `${ring}, in order` : ring
}

/** Where a cell stands in a sweep: `['barrier 1']`. */
export function sweptValues({ sweep }: Pick<CellResult, 'sweep'>): string[] {
  return Object.entries(sweep ?? {}).map(([key, value]) => `${key} ${value}`)
}

/**
 * What each of these cells is measured under, outermost first: its place in a sweep, and the conditions that they
 * differ in.
 */
export function cellPaths(cells: readonly CellResult[]): (cell: CellResult) => string[] {
  const varied = variedConditions(cells)
  return (cell) => [...sweptValues(cell), ...varied.map(({ title, of }) => `${title} ${of(cell)}`)]
}

/** A cell's accessor with options, and what a reader must know of it. */
export function cellTitle(cell: CellResult): string {
  return cellLabel(cell.id) + (cell.role === 'floor' ? ' (floor)' : '') + conformanceMark(cell)
}

/** A name for each of these cells: its accessor with options, and the conditions that they differ in. */
export function cellNames(cells: readonly CellResult[]): (cell: CellResult) => string {
  const varied = variedConditions(cells)
  return (cell) => [cellLabel(cell.id) + conformanceMark(cell), ...varied.map(({ of }) => of(cell))].join(', ')
}

/** {@link cellNames} with each cell's place in a sweep: for rows that have no column or axis of it. */
export function sweptNames(cells: readonly CellResult[], namesOf = cellNames): (cell: CellResult) => string {
  const nameOf = namesOf(cells)
  return (cell) => [nameOf(cell), ...sweptValues(cell)].join(', ')
}

/** {@link cellNames} without options, for labels, where that is enough to tell the cells apart. */
export function shortCellNames(cells: readonly CellResult[]): (cell: CellResult) => string {
  const varied = variedConditions(cells)
  const short = (cell: CellResult): string =>
    [cell.accessor + conformanceMark(cell), ...varied.map(({ of }) => of(cell))].join(', ')
  return new Set(cells.map(short)).size === cells.length ? short : cellNames(cells)
}
