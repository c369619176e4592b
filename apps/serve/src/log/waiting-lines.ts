import type { LogLine } from './log.ts'

/** Kinds of one source that are told apart: the daemon knows fewer ways to say why a driver was refused. */
const KINDS = 64

interface WaitingKind {
  count: number
  last: LogLine
  readonly what: 'kind' | 'any'
}

/**
 * Lines that can't be written yet. Of each kind the last is kept, and how many came: why a driver was refused is known
 * however often it was. Kinds without end, as a driver may make them, are counted together once there are many.
 */
export class WaitingLines {
  /** Lines that wait. */
  count = 0
  /** In the order in which the first of each came. */
  readonly #kinds = new Map<string, WaitingKind>()
  /** Kinds of each source in {@link #kinds}. */
  readonly #sources = new Map<string, number>()

  add(line: LogLine): void {
    this.count++
    const { source, kind } = line
    const kinds = this.#sources.get(source) ?? 0
    const own = kind === null ? null : `${source}\n${kind}`
    const what = own !== null && (kinds < KINDS || this.#kinds.has(own)) ? 'kind' : 'any'
    const key = what === 'kind' ? own! : source
    const waiting = this.#kinds.get(key)
    if (waiting !== undefined) {
      waiting.count++
      waiting.last = line
      return
    }
    this.#kinds.set(key, { count: 1, last: line, what })
    if (what === 'kind') this.#sources.set(source, kinds + 1)
  }

  /** The text that is to be written next; null: nothing waits. */
  next(): string | null {
    for (const { count, last, what } of this.#kinds.values()) return count === 1 ? last.text : last.counted(count, what)
    return null
  }

  /** The next one was written. */
  shift(): void {
    for (const [key, { count, last, what }] of this.#kinds) {
      this.#kinds.delete(key)
      this.count -= count
      if (what === 'kind') this.#forget(last.source)
      return
    }
  }

  #forget(source: string): void {
    const left = this.#sources.get(source)! - 1
    if (left === 0) this.#sources.delete(source)
    else this.#sources.set(source, left)
  }
}
