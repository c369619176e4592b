import { type CellSpec, groupKey } from './cell-spec.ts'

/** Cells by {@link groupKey}: those that are compared. Groups and cells are in the order given. */
export function groupsOf<T extends Pick<CellSpec, 'id'>>(cells: readonly T[]): T[][] {
  const groups = new Map<string, T[]>()
  for (const cell of cells) {
    const key = groupKey(cell)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [cell])
    else group.push(cell)
  }
  return [...groups.values()]
}
