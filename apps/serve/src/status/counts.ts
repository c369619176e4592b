/** Counts by name. */
export type Counts = Readonly<Record<string, number>>

/** Adds `more` to `counts`, name by name. */
export function addCounts(counts: Record<string, number>, more: Counts): void {
  for (const [name, count] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + count
}

/** The sum of both, name by name. */
export function sumCounts(one: Counts, other: Counts): Record<string, number> {
  const sum = { ...one }
  addCounts(sum, other)
  return sum
}
