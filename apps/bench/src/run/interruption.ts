import { EXIT_INTERRUPTED } from '../exit-codes.ts'

/** Ctrl-C and SIGTERM, while a run lasts: the first one asks it to end with what it has, a second one ends it at once. */
export class Interruption {
  readonly #controller = new AbortController()
  readonly #interrupt = (): void => {
    if (this.signal.aborted) process.exit(EXIT_INTERRUPTED)
    this.#controller.abort()
  }

  constructor() {
    process.on('SIGINT', this.#interrupt)
    process.on('SIGTERM', this.#interrupt)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Lets the signals do again what they do by default. */
  release(): void {
    process.off('SIGINT', this.#interrupt)
    process.off('SIGTERM', this.#interrupt)
  }
}
