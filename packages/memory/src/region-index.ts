/**
 * Which of several sorted regions holds an address. Drivers use their buffers in order, so the region after the one found
 * last is tried first; then the sorted starts are halved.
 */
export class RegionIndex {
  /** Start of each region, and infinity after the last: at least once. */
  private starts: Float64Array
  private count: number
  private last = -1

  /** @param starts start of each region, ascending */
  constructor(starts: readonly number[]) {
    this.starts = new Float64Array(starts.length + 1).fill(Number.POSITIVE_INFINITY)
    this.starts.set(starts)
    this.count = starts.length
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
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (starts[middle]! <= address) low = middle + 1
      else high = middle
    }
    this.last = low - 1
    return low - 1
  }

  /**
   * Takes `removed` regions out from `at` on and puts others in their place, which leaves all ascending. Moves what stands
   * after them; nothing else is looked at.
   *
   * @param starts start of each region that comes
   */
  splice(at: number, removed: number, starts: readonly number[]): void {
    const count = this.count - removed + starts.length
    if (count >= this.starts.length) {
      const larger = new Float64Array(2 * count + 1).fill(Number.POSITIVE_INFINITY)
      larger.set(this.starts)
      this.starts = larger
    }
    this.starts.copyWithin(at + starts.length, at + removed, this.count)
    this.starts.set(starts, at)
    if (count < this.count) this.starts.fill(Number.POSITIVE_INFINITY, count, this.count)
    this.count = count
    this.last = -1
  }
}
