/** xorshift32: a stream of numbers below a bound that a seed repeats. */
export function randomStream(seed: number): (bound: number) => number {
  let state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}
