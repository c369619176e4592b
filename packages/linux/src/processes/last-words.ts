import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'

/** Characters of output that are kept. */
const KEPT = 2000

/** The end of what a process writes. */
export class LastWords {
  /** Resolves when no more will come; never rejects. */
  readonly ended: Promise<unknown>
  #kept = ''

  /** @param streams standard output, standard error; null: one that is not read */
  constructor(...streams: readonly (Readable | null)[]) {
    const read = streams.filter((stream) => stream !== null)
    for (const stream of read)
      stream.on('data', (text: Buffer) => {
        this.#kept = (this.#kept + text.toString()).slice(-KEPT)
      })
    this.ended = Promise.allSettled(read.map((stream) => finished(stream)))
  }

  /** The line that says most: its last error, else its last line; empty: it said nothing. */
  get line(): string {
    const lines = this.#kept.trim().split('\n')
    return (lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? '').trim()
  }
}
