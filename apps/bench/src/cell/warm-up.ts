/** Length of one piece of warm-up, in ms. */
export const WARM_UP_PIECE_MS = 30
/** Pieces that a rate is judged over. */
const WINDOW = 5
/** Relative slope a piece below which the rate counts as flat. */
const FLAT = 0.005
/** A rate that does not settle is measured as it is. */
const WARM_UP_PIECES_MAX = 40

/** Least-squares slope of values against their index, relative to their mean. */
export function relativeSlope(values: readonly number[]): number {
  const n = values.length
  const middle = (n - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  let covariance = 0
  let variance = 0
  values.forEach((value, index) => {
    covariance += (index - middle) * (value - mean)
    variance += (index - middle) ** 2
  })
  return covariance / variance / mean
}

/**
 * Runs `piece` until its rate is flat: the slope over the last pieces is near zero, so the optimising compiler has done
 * what it will.
 *
 * @param piece runs for about {@link WARM_UP_PIECE_MS} and gives its rate
 * @param most pieces at most
 * @returns how many pieces it took
 */
export function warmUp(piece: () => number, most: number = WARM_UP_PIECES_MAX): number {
  const rates: number[] = []
  while (rates.length < most) {
    rates.push(piece())
    if (rates.length >= 2 * WINDOW && Math.abs(relativeSlope(rates.slice(-WINDOW))) < FLAT) break
  }
  return rates.length
}
