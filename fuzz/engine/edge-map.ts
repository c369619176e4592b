/** Counters of one process at most: edges are numbered from 0 as the instrumenter meets them. */
export const EDGES_MAX = 1 << 17

/** Where instrumented code finds its counters. */
export const COUNTERS_NAME = '__vringEdges'

/**
 * How often an edge was passed, in the classes of AFL: once, twice, three times, 4 to 7, 8 to 15, 16 to 31, 32 to 127,
 * more.
 */
const CLASS_OF = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count < 4) return count === 3 ? 4 : count
  return count < 8 ? 8 : count < 16 ? 16 : count < 32 ? 32 : count < 128 ? 64 : 128
})

/** Edges that were passed so far, by how often. */
export class EdgeMap {
  /** Counters of the current run; wraps at 256. */
  readonly counters: Uint8Array
  readonly #words: Uint32Array
  readonly #seen: Uint8Array

  /** @param edges how many the instrumenter numbered */
  constructor(edges: number) {
    const bytes = Math.ceil(edges / 4) * 4
    this.counters = new Uint8Array(bytes)
    this.#words = new Uint32Array(this.counters.buffer)
    this.#seen = new Uint8Array(bytes)
  }

  /** Edges that were passed at least once. */
  get covered(): number {
    return this.#seen.reduce((sum, classes) => sum + (classes === 0 ? 0 : 1), 0)
  }

  /** Takes the counters of a run in and clears them. True: an edge was new, or was passed more or less often than ever. */
  take(): boolean {
    const { counters } = this
    const words = this.#words
    const seen = this.#seen
    let fresh = false
    for (let word = 0; word < words.length; word++) {
      if (words[word] === 0) continue
      for (let edge = 4 * word; edge < 4 * word + 4; edge++) {
        const count = CLASS_OF[counters[edge]!]!
        if ((count & ~seen[edge]!) === 0) continue
        seen[edge]! |= count
        fresh = true
      }
      words[word] = 0
    }
    return fresh
  }
}
