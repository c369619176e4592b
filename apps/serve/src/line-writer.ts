import { writeSync } from 'node:fs'
import { POLLOUT, PollSet } from '@vring/linux'

/**
 * Bytes of a line at most: a pipe that takes anything takes so much without waiting (PIPE_BUF), and a line is there whole.
 */
const LINE_BYTES = 4096

export interface LineWriterOptions {
  /** The line that says how many were left out. Default: as text. */
  readonly tell?: (leftOut: number) => string
  /** Lines that may come at once. Default 100. */
  readonly burst?: number
  /** Lines a second that may follow. Default 10. */
  readonly perSecond?: number
  /** Milliseconds; for tests. Default `performance.now`. */
  readonly now?: () => number
}

/**
 * Writes lines for people to a descriptor that others read, or do not: never waits, keeps nothing, and writes no more than a
 * bounded number a second whatever a driver does to be talked about. What is left out is counted, and said with the next line.
 */
export class LineWriter {
  /** Lines that were left out. */
  leftOut = 0
  readonly #fd: number
  readonly #poll = new PollSet()
  readonly #burst: number
  readonly #perSecond: number
  readonly #now: () => number
  readonly #tell: (leftOut: number) => string
  #tokens: number
  #since: number

  constructor(fd: number, options: LineWriterOptions = {}) {
    const { burst = 100, perSecond = 10, now = () => performance.now(), tell = leftOutLine } = options
    this.#fd = fd
    this.#tell = tell
    this.#burst = burst
    this.#perSecond = perSecond
    this.#now = now
    this.#tokens = burst
    this.#since = now()
    this.#poll.watch([], [fd])
  }

  /** @param line whole, with its end */
  write(line: string): void {
    const now = this.#now()
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#since) / 1000) * this.#perSecond)
    this.#since = now
    if (this.#tokens < 1 || !this.#put(line)) this.leftOut++
    else this.#tokens--
  }

  #put(line: string): boolean {
    const text = Buffer.from(`${this.leftOut > 0 ? this.#tell(this.leftOut) : ''}${line}`)
    const bytes =
      text.length <= LINE_BYTES ? text : Buffer.concat([text.subarray(0, LINE_BYTES - 4), Buffer.from('...\n')])
    try {
      this.#poll.wait(0)
      if ((this.#poll.revents(0) & POLLOUT) === 0) return false
      writeSync(this.#fd, bytes)
    } catch {
      // It has no reader any more (EPIPE), or another process made it non-blocking and it is full (EAGAIN).
      return false
    }
    this.leftOut = 0
    return true
  }
}

function leftOutLine(count: number): string {
  return `vring-serve: ${count} lines were left out\n`
}
