/** Rows of a matrix, all of one length. */
export type Matrix = readonly (readonly number[])[]

/** What counts as zero among numbers near 1. */
export const TOLERANCE = 1e-10

/** Gauss-Jordan elimination of the first `columns` columns in place; returns the rank. */
export function eliminate(rows: number[][], columns: number): number {
  let rank = 0
  for (let column = 0; column < columns && rank < rows.length; column++) {
    let pivot = rank
    for (let i = rank + 1; i < rows.length; i++)
      if (Math.abs(rows[i]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = i
    if (Math.abs(rows[pivot]![column]!) < TOLERANCE) continue
    ;[rows[rank], rows[pivot]] = [rows[pivot]!, rows[rank]!]
    const top = rows[rank]!
    for (let i = 0; i < rows.length; i++) {
      const factor = i === rank ? 0 : rows[i]![column]! / top[column]!
      if (factor !== 0) for (let k = column; k < top.length; k++) rows[i]![k]! -= factor * top[k]!
    }
    rank++
  }
  return rank
}

/**
 * Which unknowns do the rows of A determine? Column j is determined when it is not a combination of the others: only
 * then does changing x[j] change what A x can be.
 */
export function determined(a: Matrix): boolean[] {
  const columns = a[0]?.length ?? 0
  const full = rank(a)
  return Array.from({ length: columns }, (_, without) => {
    return rank(a.map((row) => row.filter((_value, column) => column !== without))) < full
  })
}

/** Does A x = b, for any b, also settle row . x? It does when the row is a combination of those of A. */
export function determines(a: Matrix, row: readonly number[]): boolean {
  return rank([...a, row]) === rank(a)
}

function rank(a: Matrix): number {
  const rows = a.map((row) => [...row])
  return eliminate(rows, rows[0]?.length ?? 0)
}

/** The inverse of A^T A, or null when the columns of A depend on one another. */
export function inverseNormal(a: Matrix): number[][] | null {
  const columns = a[0]?.length ?? 0
  const system = Array.from({ length: columns }, (_, i) => [
    ...Array.from({ length: columns }, (_, k) => a.reduce((sum, row) => sum + row[i]! * row[k]!, 0)),
    ...Array.from({ length: columns }, (_, k) => (i === k ? 1 : 0)),
  ])
  if (eliminate(system, columns) < columns) return null
  return system.map((row, i) => row.slice(columns).map((value) => value / row[i]!))
}
