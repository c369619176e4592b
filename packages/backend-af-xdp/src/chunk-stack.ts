import type { XdpConsumerRing } from '@vring/linux'

/** Free chunks of a UMEM, by their byte offset in it: last in, first out, so that the ones in use stay in the cache. */
export class ChunkStack {
  /** Of the free chunks, the first {@link count}; those after them are in use. */
  readonly offsets: Uint32Array
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

  /** Takes back the chunks that the first `count` entries of a completion ring name. */
  take(ring: XdpConsumerRing, count: number, mask: number): void {
    const { offsets } = this
    const { words } = ring
    let top = this.count
    for (let i = 0; i < count; i = (i + 1) | 0) offsets[top++] = words[ring.at(i)]! & mask
    this.count = top
  }

  push(offset: number): void {
    this.offsets[this.count++] = offset
  }
}
