/** Descriptors of those that have one: the same array until they change, so that a loop sees by identity that they did. */
export class FdList {
  private fds: readonly number[] = []

  /** @param fdOf a negative one: none */
  of<T>(items: readonly T[], fdOf: (item: T) => number): readonly number[] {
    let count = 0
    let same = true
    for (let i = 0; i < items.length; i++) {
      const fd = fdOf(items[i]!)
      if (fd >= 0 && this.fds[count++] !== fd) same = false
    }
    if (!same || count !== this.fds.length) this.fds = items.map(fdOf).filter((fd) => fd >= 0)
    return this.fds
  }
}
