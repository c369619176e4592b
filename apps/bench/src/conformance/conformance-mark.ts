import type { CellResult } from '../results/results.ts'

const MARK = ' (does not conform)'

/** What follows the name of a cell, in every table: nothing, unless the conformance kit found a fault in its plugin. */
export function conformanceMark({ conformance }: Pick<CellResult, 'conformance'>): string {
  return (conformance?.failed ?? 0) > 0 ? MARK : ''
}

/** {@link conformanceMark} by the id of a cell of these runs. */
export function conformanceMarks(
  ...runs: readonly { readonly cells: readonly CellResult[] }[]
): (id: string) => string {
  const marks = new Map(runs.flatMap(({ cells }) => cells).map((cell) => [cell.id, conformanceMark(cell)]))
  return (id) => marks.get(id) ?? ''
}

/** A line for each plugin of these cells that does not conform, with the first of its causes. */
export function conformanceLines({ cells }: { readonly cells: readonly CellResult[] }): string[] {
  const lines = cells.flatMap(({ conformance }) => {
    const [first, ...more] = conformance?.causes ?? []
    return first === undefined
      ? []
      : `does not conform: ${first}${more.length === 0 ? '' : `; and ${more.length} more`}`
  })
  return [...new Set(lines)]
}
