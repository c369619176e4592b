/** Where two values differ first: the path to it, and what stands there. */
export interface Difference {
  /** `[3]`, `.device`, or empty for the values themselves. */
  readonly path: string
  readonly found: unknown
  readonly expected: unknown
}

/** The first difference of two values, arrays or records, depth first; null where there is none. */
export function firstDifference(found: unknown, expected: unknown, path = ''): Difference | null {
  if (Object.is(found, expected)) return null
  if (!isNested(found) || !isNested(expected) || Array.isArray(found) !== Array.isArray(expected))
    return { path, found, expected }
  for (const key of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    const difference = firstDifference(
      found[key as keyof typeof found],
      expected[key as keyof typeof expected],
      Array.isArray(expected) ? `${path}[${key}]` : `${path}.${key}`,
    )
    if (difference !== null) return difference
  }
  return null
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
