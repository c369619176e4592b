import { formatDuration } from '../table.ts'

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

  /** One more step begins. */
  step(text: string): void {
    const elapsed = performance.now() - this.#started
    const left = this.#done === 0 ? '' : `, ${formatDuration((elapsed / this.#done) * (this.#steps - this.#done))} left`
    this.#done++
    if (!this.#shown) return
    const line = `[${this.#done}/${this.#steps}] ${text}${left}`
    this.#stream.write(`\r\u001b[K${line.slice(0, (this.#stream.columns ?? 80) - 1)}`)
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown) this.#stream.write('\r\u001b[K')
  }
}
