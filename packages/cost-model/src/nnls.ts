import { VringError } from '@vring/layout'
import { eliminate, type Matrix, TOLERANCE } from './elimination.ts'

/**
 * Non-negative least squares: the x >= 0 that minimises |A x - b|. Unique when the columns of A are independent.
 * Source: Lawson and Hanson, Solving Least Squares Problems, 1974, chapter 23.
 *
 * Made for a dozen rows and columns: it solves the normal equations.
 *
 * @throws VringError ERR_INVALID_ARGUMENT when the shapes do not fit or a number is not finite
 */
export function nnls(a: Matrix, b: readonly number[]): number[] {
  const columns = checkShape(a, b)
  const x = new Array<number>(columns).fill(0)
  const passive = new Set<number>()
  // Each turn adds the column that helps most; it can leave again. Three turns a column are the usual bound.
  for (let turn = 0; turn < 3 * columns; turn++) {
    const gradient = descent(a, b, x)
    const candidate = best(gradient, passive)
    if (candidate < 0) break
    passive.add(candidate)
    settle(a, b, x, passive)
  }
  return x
}

/** Moves x to the least-squares solution over the passive columns, dropping those that would turn negative. */
function settle(a: Matrix, b: readonly number[], x: number[], passive: Set<number>): void {
  while (passive.size > 0) {
    const columns = [...passive].sort((left, right) => left - right)
    const solution = leastSquares(a, b, columns)
    let step = 1
    for (let k = 0; k < columns.length; k++)
      if (solution[k]! <= TOLERANCE) {
        const from = x[columns[k]!]!
        step = Math.min(step, from / (from - solution[k]! || Number.MIN_VALUE))
      }
    const settled = solution.every((value) => value > TOLERANCE)
    columns.forEach((column, k) => {
      const moved = settled ? solution[k]! : x[column]! + step * (solution[k]! - x[column]!)
      x[column] = moved > TOLERANCE ? moved : 0
      if (x[column] === 0) passive.delete(column)
    })
    if (settled) return
  }
}

/** A^T (b - A x): how much the error falls as each x grows. */
function descent(a: Matrix, b: readonly number[], x: readonly number[]): number[] {
  const residual = a.map((row, i) => b[i]! - dot(row, x))
  return x.map((_, column) => a.reduce((sum, row, i) => sum + row[column]! * residual[i]!, 0))
}

function best(gradient: readonly number[], passive: ReadonlySet<number>): number {
  let found = -1
  for (let column = 0; column < gradient.length; column++)
    if (!passive.has(column) && gradient[column]! > TOLERANCE && (found < 0 || gradient[column]! > gradient[found]!))
      found = column
  return found
}

/** Least squares over some columns, by the normal equations and Gaussian elimination with pivoting. */
function leastSquares(a: Matrix, b: readonly number[], columns: readonly number[]): number[] {
  const system = columns.map((left) => [
    ...columns.map((right) => a.reduce((sum, row) => sum + row[left]! * row[right]!, 0)),
    a.reduce((sum, row, i) => sum + row[left]! * b[i]!, 0),
  ])
  eliminate(system, columns.length)
  return system.map((row, k) => (Math.abs(row[k]!) < TOLERANCE ? 0 : row[columns.length]! / row[k]!))
}

function dot(left: readonly number[], right: readonly number[]): number {
  return left.reduce((sum, value, k) => sum + value * right[k]!, 0)
}

function checkShape(a: Matrix, b: readonly number[]): number {
  const columns = a[0]?.length ?? 0
  if (columns === 0 || a.length !== b.length || a.some((row) => row.length !== columns))
    throw new VringError(
      'ERR_INVALID_ARGUMENT',
      `nnls wants as many numbers in b as rows in a, and rows of one length`,
      {
        field: 'a',
        value: `${a.length} rows, ${b.length} numbers`,
      },
    )
  for (const value of [...a.flat(), ...b])
    if (!Number.isFinite(value))
      throw new VringError('ERR_INVALID_ARGUMENT', `nnls wants finite numbers, got ${value}`, { field: 'a', value })
  return columns
}
