import type { MemoryView } from './memory-view.ts'

/**
 * A {@link MemoryView} that is made when it is needed first. One over a GiB of foreign memory costs the JavaScript
 * engine some ten milliseconds, as it collects garbage by the bytes that buffers stand for. Of memory that no address
 * points into none is made.
 */
export class LazyView {
  /** Bytes of its buffer. */
  readonly byteLength: number
  /** Null: not made yet. */
  made: MemoryView | null = null
  readonly #make: () => MemoryView

  /** @param make called once; a view over a buffer of `byteLength` bytes */
  constructor(byteLength: number, make: () => MemoryView) {
    this.byteLength = byteLength
    this.#make = make
  }

  /** The view; the same one each time. */
  make(): MemoryView {
    this.made ??= this.#make()
    return this.made
  }
}
