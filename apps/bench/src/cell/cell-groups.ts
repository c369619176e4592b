import { type CellSpec, turnKey } from './cell-spec.ts'

/** Cells by {@link turnKey}: those that run in turn and are compared. Groups and cells are in the order given. */
export function groupsOf<T extends Pick<CellSpec, 'id'>>(cells: readonly T[]): T[][] {
  const groups = new Map<string, T[]>()
  for (const cell of cells) {
    const key = turnKey(cell)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [cell])
    else group.push(cell)
  }
  return [...groups.values()]
}
