/**
 * Which of several sorted regions holds an address. Drivers use their buffers in order, so the region after the one found
 * last is tried first; then the sorted starts are halved.
 */
export class RegionIndex {
  /** Start of each region, and infinity after the last. */
  private readonly starts: Float64Array
  private last = -1

  /** @param starts start of each region, ascending */
  constructor(starts: readonly number[]) {
    this.starts = Float64Array.from([...starts, Number.POSITIVE_INFINITY])
  }

  /** Index of the last region that starts at or below `address`, or -1: none does. -1 for NaN too. */
  find(address: number): number {
    const { starts } = this
    const next = (this.last + 1) | 0
    if (starts[next]! <= address && address < starts[next + 1]!) {
      this.last = next
      return next
    }
    let low = 0
    let high = (starts.length - 1) | 0
    while (low < high) {
      const middle = (low + high) >>> 1
      if (starts[middle]! <= address) low = middle + 1
      else high = middle
    }
    this.last = low - 1
    return low - 1
  }
}
