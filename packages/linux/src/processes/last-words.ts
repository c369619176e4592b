import { finished } from 'node:stream/promises'

/** Characters of output that are kept. */
const KEPT = 2000

/** A stream of Node that is read. Not its own type: this package's declarations need none of Node's. */
export interface ReadStream {
  on(event: 'data', listener: (text: Uint8Array | string) => void): unknown
}

/** The end of what a process writes. */
export class LastWords {
  /** Resolves when no more will come; never rejects. */
  readonly ended: Promise<unknown>
  #kept = ''

  /** @param streams standard output, standard error; null: one that is not read */
  constructor(...streams: readonly (ReadStream | null)[]) {
    const read = streams.filter((stream) => stream !== null)
    for (const stream of read)
      stream.on('data', (text) => {
        this.#kept = (this.#kept + text.toString()).slice(-KEPT)
      })
    this.ended = Promise.allSettled(read.map((stream) => finished(stream as NodeJS.ReadableStream)))
  }

  /** The line that says most: its last error, else its last line; empty: it said nothing. */
  get line(): string {
    const lines = this.#kept.trim().split('\n')
    return (lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? '').trim()
  }
}
