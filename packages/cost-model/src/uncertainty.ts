import { inverseNormal, type Matrix } from './elimination.ts'

/** How sure a least-squares fit is of what it says, after its own residuals. */
export interface Uncertainty {
  /** Equations less parameters; 0 and less tell nothing about the scatter. */
  readonly degreesOfFreedom: number
  /**
   * Standard deviation of one equation's residual, in the unit of the equations: here a relative error. Null without a
   * degree of freedom.
   */
  readonly sigma: number | null
  /**
   * Half the width of a 95 % interval of x[column]; null where the rows do not settle all of x, or leave no degree of
   * freedom.
   */
  halfWidth(column: number): number | null
  /** Half the width of a 95 % interval of row . x: of its mean, not of one more observation. */
  halfWidthOf(row: readonly number[]): number | null
  /**
   * How much of its own fitted value equation `index` makes, 0 to 1. At 1 the fit goes through it, whatever it says:
   * its residual is 0 and tells nothing.
   */
  leverage(index: number): number | null
}

/**
 * The textbook's uncertainty of a linear fit: equations of equal variance, independent of one another, and no parameter at a
 * bound. Source: Seber and Lee, Linear Regression Analysis, 2003, chapters 3 to 5 and 10.2.
 *
 * @param a coefficients that were fitted
 * @param residuals target less fitted value of each equation
 */
export function uncertainty(a: Matrix, residuals: readonly number[]): Uncertainty {
  const inverse = inverseNormal(a)
  const degreesOfFreedom = a.length - (a[0]?.length ?? 0)
  const sumOfSquares = residuals.reduce((sum, value) => sum + value * value, 0)
  const sigma = degreesOfFreedom > 0 ? Math.sqrt(sumOfSquares / degreesOfFreedom) : null
  /** row (A^T A)^-1 row^T: the variance of row . x, in sigma squared. */
  const variance = (row: readonly number[]): number | null =>
    inverse === null
      ? null
      : row.reduce((sum, left, i) => sum + row.reduce((part, right, k) => part + left * inverse[i]![k]! * right, 0), 0)
  const half = (part: number | null): number | null =>
    part === null || sigma === null ? null : studentT975(degreesOfFreedom) * sigma * Math.sqrt(Math.max(0, part))
  return {
    degreesOfFreedom,
    sigma,
    halfWidth: (column) => half(inverse === null ? null : inverse[column]![column]!),
    halfWidthOf: (row) => half(variance(row)),
    leverage: (index) => variance(a[index]!),
  }
}

/** The 97.5 % point of Student's t by degrees of freedom from 1. Source: any table; a test integrates the density. */
const STUDENT_T_975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179]

/** Half the width of a 95 % interval in standard errors; beyond the table its last entry, which is a little too wide. */
export function studentT975(degreesOfFreedom: number): number {
  return STUDENT_T_975[Math.min(degreesOfFreedom, STUDENT_T_975.length) - 1]!
}
