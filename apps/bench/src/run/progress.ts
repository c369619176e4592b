import { formatDuration } from '../terminal/format.ts'

/** Progress on a terminal: one line that is written over. Quiet anywhere else. */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #started = performance.now()
  readonly #steps: number
  readonly #shown: boolean
  #done = 0

  /** @param steps how many there will be */
  constructor(steps: number, stream: NodeJS.WriteStream = process.stderr) {
    this.#steps = steps
    this.#stream = stream
    this.#shown = stream.isTTY === true
  }

  /**
   * One more step begins.
   *
   * @param what a cell or peer; its end gives way where the terminal is narrow, as what it does and the time left
   * matter more
   */
  step(what: string, does: string): void {
    const elapsed = performance.now() - this.#started
    const left = this.#done === 0 ? '' : `, ${formatDuration((elapsed / this.#done) * (this.#steps - this.#done))} left`
    this.#done++
    if (!this.#shown) return
    const columns = (this.#stream.columns || 80) - 1
    // Slices go on until every class has occurred, or the patience is over.
    const steps = Math.max(this.#steps, this.#done)
    const [head, tail] = [`[${this.#done}/${steps}] `, `: ${does}${left}`]
    const line = head + shortened(what, columns - head.length - tail.length) + tail
    this.#stream.write(`\r\u001b[K${line.slice(0, columns)}`)
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown) this.#stream.write('\r\u001b[K')
  }
}

function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}…`
}
