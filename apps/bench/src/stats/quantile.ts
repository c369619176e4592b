/** A new array, ascending. */
export function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b)
}

/**
 * Quantile of ascending values by linear interpolation between the two nearest order statistics (R's type 7, NumPy's
 * default).
 *
 * @param p 0 to 1
 * @returns NaN for no values
 */
export function quantileSorted(ascending: ArrayLike<number>, p: number): number {
  if (ascending.length === 0) return Number.NaN
  const position = (ascending.length - 1) * p
  const below = Math.floor(position)
  const low = ascending[below]!
  const high = ascending[Math.min(below + 1, ascending.length - 1)]!
  return low + (high - low) * (position - below)
}

/** Quantile of values in any order. */
export function quantile(values: readonly number[], p: number): number {
  return quantileSorted(sorted(values), p)
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}
