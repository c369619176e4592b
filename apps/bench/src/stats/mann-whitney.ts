import { normalCdf } from './normal.ts'

/** Outcome of a rank test. */
export interface RankTest {
  /** Pairs (a, b) in which a is the greater one; ties count a half. */
  readonly u: number
  /** Two-sided probability of a `u` at least as far from its mean when both samples have one distribution. */
  readonly p: number
  /** `exact` below {@link EXACT_LIMIT} values a side without ties, else the normal approximation. */
  readonly method: 'exact' | 'normal'
}

/** Up to here the distribution of U is counted, not approximated: 20 values a side are 400 pairs, a millisecond. */
export const EXACT_LIMIT = 20

/**
 * Mann-Whitney U test: are values of `a` larger (or smaller) than those of `b` more often than chance gives? Asks
 * nothing of the shape of the distributions, which for throughput trials have a long tail on the slow side.
 *
 * @returns p 1 when a side is empty: no evidence
 */
export function mannWhitney(a: readonly number[], b: readonly number[]): RankTest {
  const n = a.length
  const m = b.length
  const pooled = [...a.map((value) => ({ value, first: true })), ...b.map((value) => ({ value, first: false }))]
  pooled.sort((x, y) => x.value - y.value)
  let rankSum = 0
  let tieTerm = 0
  for (let start = 0; start < pooled.length; ) {
    let end = start
    while (end < pooled.length && pooled[end]!.value === pooled[start]!.value) end++
    const ties = end - start
    const rank = (start + 1 + end) / 2
    for (let i = start; i < end; i++) if (pooled[i]!.first) rankSum += rank
    tieTerm += ties ** 3 - ties
    start = end
  }
  const u = rankSum - (n * (n + 1)) / 2
  if (n === 0 || m === 0) return { u: 0, p: 1, method: 'exact' }
  if (tieTerm === 0 && n <= EXACT_LIMIT && m <= EXACT_LIMIT) return { u, p: exactP(u, n, m), method: 'exact' }
  const total = n + m
  const variance = ((n * m) / 12) * (total + 1 - tieTerm / (total * (total - 1)))
  if (variance === 0) return { u, p: 1, method: 'normal' }
  // Continuity correction: U moves in steps of one, so half a step belongs to the tail.
  const z = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5) / Math.sqrt(variance)
  return { u, p: Math.min(1, 2 * (1 - normalCdf(z))), method: 'normal' }
}

function exactP(u: number, n: number, m: number): number {
  const counts = orderingsByU(n, m)
  const total = counts.reduce((sum, count) => sum + count, 0)
  const near = Math.min(u, n * m - u)
  let tail = 0
  for (let k = 0; k <= near; k++) tail += counts[k]!
  return Math.min(1, (2 * tail) / total)
}

/**
 * How many of the orderings of n and m values have U = index: the coefficients of the Gaussian binomial (n + m choose
 * n). They are built factor by factor: times (1 - q^(m+i)), divided by (1 - q^i).
 */
function orderingsByU(n: number, m: number): number[] {
  const counts = new Array<number>(n * m + 1).fill(0)
  counts[0] = 1
  for (let i = 1; i <= n; i++) {
    for (let k = n * m; k >= m + i; k--) counts[k]! -= counts[k - m - i]!
    for (let k = i; k <= n * m; k++) counts[k]! += counts[k - i]!
  }
  return counts
}

/**
 * Holm's step-down correction: probabilities that keep the chance of one false alarm in the whole family at the level
 * that each is compared with.
 *
 * @returns adjusted probabilities in the order given
 */
export function holm(probabilities: readonly number[]): number[] {
  const order = probabilities.map((_, index) => index).sort((x, y) => probabilities[x]! - probabilities[y]!)
  const adjusted = new Array<number>(probabilities.length)
  let running = 0
  order.forEach((index, position) => {
    running = Math.max(running, Math.min(1, probabilities[index]! * (probabilities.length - position)))
    adjusted[index] = running
  })
  return adjusted
}
