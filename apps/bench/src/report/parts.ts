import { escapeHtml } from './html.ts'

/** Something of a report with the conditions that it is of, outermost first: `['queue-size 256', 'batch 64']`. */
export interface Placed<T> {
  readonly path: readonly string[]
  readonly item: T
}

/** How {@link inParts} draws. */
export interface PartDrawing<T> {
  /** What fits in one part: a table, a chart, some figures. */
  draw(items: readonly T[], path: readonly string[]): string
  /** What a closed part says of its contents. */
  summary(items: readonly T[]): string
}

/**
 * Any number of things, at most `most` of them at once. More are put into parts that open by hand, by the outermost
 * condition that they differ in, then by the next. What no condition tells apart is counted off.
 */
export function inParts<T>(placed: readonly Placed<T>[], most: number, drawing: PartDrawing<T>): string {
  return part(placed, most, drawing, 0, [])
}

function part<T>(
  placed: readonly Placed<T>[],
  most: number,
  drawing: PartDrawing<T>,
  depth: number,
  path: readonly string[],
): string {
  const items = placed.map(({ item }) => item)
  if (items.length <= most) return drawing.draw(items, path)
  const groups = placed.some((one) => depth < one.path.length) ? byCondition(placed, depth) : inTurn(placed, most)
  // One that all have in common tells nothing apart.
  if (groups.size === 1) return part(placed, most, drawing, depth + 1, path)
  const details = [...groups].map(([label, members]) => {
    const summary = `<strong>${escapeHtml(label)}</strong>: ${escapeHtml(drawing.summary(members.map(({ item }) => item)))}`
    const body = part(members, most, drawing, depth + 1, [...path, label])
    return `<details class="part"><summary>${summary}</summary>${body}</details>`
  })
  return details.join('\n')
}

function byCondition<T>(placed: readonly Placed<T>[], depth: number): Map<string, Placed<T>[]> {
  const groups = new Map<string, Placed<T>[]>()
  for (const one of placed) {
    const label = one.path[depth] ?? 'others'
    const group = groups.get(label)
    if (group === undefined) groups.set(label, [one])
    else group.push(one)
  }
  return groups
}

function inTurn<T>(placed: readonly Placed<T>[], most: number): Map<string, Placed<T>[]> {
  const groups = new Map<string, Placed<T>[]>()
  for (let from = 0; from < placed.length; from += most) {
    const members = placed.slice(from, from + most)
    groups.set(`${from + 1} to ${from + members.length}`, members)
  }
  return groups
}
