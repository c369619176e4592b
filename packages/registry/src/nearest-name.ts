/**
 * How many insertions, deletions and replacements make `b` of `a` (Levenshtein), in one row of memory.
 */
export function editDistance(a: string, b: string): number {
  const row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0]!
    row[0] = i
    for (let j = 1; j <= b.length; j++) {
      const replaced = diagonal + (a[i - 1] === b[j - 1] ? 0 : 1)
      diagonal = row[j]!
      row[j] = Math.min(replaced, diagonal + 1, row[j - 1]! + 1)
    }
  }
  return row[b.length]!
}

/**
 * The accepted name that a mistyped one was most likely meant to be. It is a name that the mistyped one is part of,
 * else the one with the least edit distance.
 *
 * @returns null when nothing is near: more than half of the letters differ
 */
export function nearestName(name: string, accepted: Iterable<string>): string | null {
  const wanted = name.toLowerCase()
  let nearest: string | null = null
  let least = Number.POSITIVE_INFINITY
  for (const candidate of accepted) {
    const part = wanted.length >= 3 && candidate.toLowerCase().includes(wanted)
    const distance = part ? 0.5 : editDistance(wanted, candidate.toLowerCase())
    if (distance < least && (part || distance <= Math.max(wanted.length, candidate.length) / 2)) {
      nearest = candidate
      least = distance
    }
  }
  return nearest
}
