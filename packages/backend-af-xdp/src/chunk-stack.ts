/** Free chunks of a UMEM, by their byte offset in it: last in, first out, so that the ones in use stay in the cache. */
export class ChunkStack {
  private readonly offsets: Uint32Array
  /** Free chunks. */
  count: number

  /** @param first index of the first chunk, of `count` that are free at first, `chunkBytes` each */
  constructor(first: number, count: number, chunkBytes: number) {
    this.offsets = Uint32Array.from({ length: count }, (_, index) => (first + count - 1 - index) * chunkBytes)
    this.count = count
  }

  /** Takes one; only while {@link count} is not 0. */
  pop(): number {
    return this.offsets[--this.count]!
  }

  push(offset: number): void {
    this.offsets[this.count++] = offset
  }
}
