import { type Profiler, Session } from 'node:inspector'

/** A block of code that ran, and how often. */
export interface BlockCount {
  /** File and function. */
  readonly where: string
  readonly count: number
}

/**
 * How often each block of the packages' own code runs, as V8 counts it for coverage: exact, whatever the optimiser
 * does. Begins before that code is loaded, as only what is compiled after that is counted by blocks.
 */
export class BlockCounts {
  readonly #session = new Session()

  constructor() {
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** The blocks of `packages/*\/src` that ran more than `limit` times while `run` did, most often first. */
  over(limit: number, run: () => void): BlockCount[] {
    this.#take()
    run()
    return this.#take()
      .flatMap(({ url, functions }) => functions.map((one) => ({ ...one, file: ownFile(url) })))
      .flatMap(({ file, functionName, ranges }) =>
        file === null ? [] : ranges.map(({ count }) => ({ where: `${file} ${functionName}`, count })),
      )
      .filter(({ count }) => count > limit)
      .sort((one, other) => other.count - one.count)
  }

  close(): void {
    this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }

  #take(): readonly Profiler.ScriptCoverage[] {
    let scripts: readonly Profiler.ScriptCoverage[] = []
    // Of a session in its own thread the answer is there when this returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error !== null) throw error
      scripts = taken.result
    })
    return scripts
  }
}

/** The path in the repository of what drivers and peers drive; null: other code. */
function ownFile(url: string): string | null {
  const found = /\/(packages\/(?!explorer|testkit|conformance|speculation)[^/]+\/src\/[^?]+\.ts)/.exec(url)
  return found === null || found[1]!.endsWith('.test.ts') ? null : found[1]!
}
