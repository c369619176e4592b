/**
 * Regions by their start, ascending, and which of them holds an address. Drivers use their buffers in order, so the region
 * after the one found last is tried first; then the starts are halved.
 */
export class SortedRegions<Region> {
  /** Replaced by every change, never changed. */
  list: readonly Region[]
  private readonly startOf: (region: Region) => number
  /** Start of each region, and infinity after the last: at least once. */
  private starts: Float64Array
  private last = -1

  /** @param list ascending by start */
  constructor(list: readonly Region[], startOf: (region: Region) => number) {
    this.list = list
    this.startOf = startOf
    this.starts = new Float64Array(list.length + 1).fill(Number.POSITIVE_INFINITY)
    this.starts.set(list.map(startOf))
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
    let high = this.list.length
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
   */
  splice(at: number, removed: number, added: readonly Region[]): void {
    const before = this.list.length
    // Not by arguments: there may be more than a call can have.
    this.list = [...this.list.slice(0, at), ...added, ...this.list.slice(at + removed)]
    const count = this.list.length
    if (count >= this.starts.length) {
      const larger = new Float64Array(2 * count + 1).fill(Number.POSITIVE_INFINITY)
      larger.set(this.starts)
      this.starts = larger
    }
    this.starts.copyWithin(at + added.length, at + removed, before)
    this.starts.set(added.map(this.startOf), at)
    if (count < before) this.starts.fill(Number.POSITIVE_INFINITY, count, before)
    this.last = -1
  }
}
