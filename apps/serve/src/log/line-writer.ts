import { writeSync } from 'node:fs'
import { POLLOUT, PollSet } from '@vring/linux'
import type { LogLine } from './log.ts'
import { WaitingLines } from './waiting-lines.ts'

/**
 * Bytes of a line at most: a pipe that takes anything takes so much without waiting (PIPE_BUF), and a line is there whole.
 */
const LINE_BYTES = 4096
/** When it is tried again to write lines that wait, ms. */
const RETRY_MS = 1000

export interface LineWriterOptions {
  /** Lines that may come at once. Default 100. */
  readonly burst?: number
  /** Lines a second that may follow. Default 10. */
  readonly perSecond?: number
  /** Milliseconds; for tests. Default `performance.now`. */
  readonly now?: () => number
}

/**
 * Writes lines for people to a descriptor that others read, or do not: never waits, and writes no more than a bounded number
 * a second whatever a driver does to be talked about. Lines that come faster wait, those of one kind as one line that counts
 * them.
 */
export class LineWriter {
  readonly #fd: number
  readonly #poll = new PollSet()
  readonly #burst: number
  readonly #perSecond: number
  readonly #now: () => number
  readonly #waiting = new WaitingLines()
  #timer: NodeJS.Timeout | null = null
  #tokens: number
  #since: number

  constructor(fd: number, options: LineWriterOptions = {}) {
    const { burst = 100, perSecond = 10, now = () => performance.now() } = options
    this.#fd = fd
    this.#burst = burst
    this.#perSecond = perSecond
    this.#now = now
    this.#tokens = burst
    this.#since = now()
    this.#poll.watch([], [fd])
  }

  /** Lines that wait to be written. */
  get waiting(): number {
    return this.#waiting.count
  }

  write(line: LogLine): void {
    this.#waiting.add(line)
    this.#drain()
  }

  /** Writes what waits, as far as it is read: nothing follows. */
  end(): void {
    this.#drain(Number.NEGATIVE_INFINITY)
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** @param least tokens that one more line needs */
  #drain(least = 1): void {
    const now = this.#now()
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#since) / 1000) * this.#perSecond)
    this.#since = now
    for (let text = this.#waiting.next(); text !== null; text = this.#waiting.next()) {
      if (this.#tokens < least || !this.#put(text)) {
        this.#retry()
        return
      }
      this.#tokens--
      this.#waiting.shift()
    }
  }

  /** Nothing more may come for long: what waits must not wait for it. */
  #retry(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#drain()
    }, RETRY_MS).unref()
  }

  #put(line: string): boolean {
    const text = Buffer.from(line)
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
    return true
  }
}
