import { ForkedProcess } from '@vring/linux'
import type { Cores } from '../placement/core-watch.ts'
import { CellFailure, CellInterrupted } from './cell-failure.ts'
import type { CellSpec } from './cell-spec.ts'
import type { Answer, CountAnswer, FinishAnswer, Request, TrialAnswer } from './protocol.ts'
import { CELL_FLAGS } from './v8-flags.ts'

/** A cell that is this late with an answer, in ms, counts as hung. Building and warming up takes about one second. */
export const PATIENCE_MS = 30_000

export interface CellProcessOptions {
  /** How late an answer may be, in ms. Default {@link PATIENCE_MS}. */
  readonly patienceMs?: number
  /** Ends the process and whatever it is asked. */
  readonly signal?: AbortSignal
  /** Flags of Node beside the cell's own. Default: those of this process. */
  readonly execArgv?: readonly string[]
}

/** The process of one cell. */
export class CellProcess {
  readonly spec: CellSpec
  readonly #process: ForkedProcess
  readonly #patienceMs: number
  readonly #signal: AbortSignal | undefined

  constructor(spec: CellSpec, options: CellProcessOptions = {}) {
    this.spec = spec
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS
    this.#signal = options.signal
    const source = import.meta.url.endsWith('.ts')
    if (source && spec.hooks === 0) throw new CellFailure(`${spec.id}: only a build has cells without hooks`)
    const name = spec.hooks === 0 ? './cell-without-hooks.js' : source ? './cell.ts' : './cell.js'
    // One isolate, one accessor: inline caches are shared by all instances of a class's callers.
    this.#process = new ForkedProcess(new URL(name, import.meta.url), {
      execArgv: [...(options.execArgv ?? process.execArgv), ...CELL_FLAGS],
      stdout: 'pipe',
    })
  }

  /** Builds the cell and warms it up until its rate is flat. */
  async prepare(seed: number, plugins: readonly string[], quick: boolean, cores: Cores | null = null): Promise<void> {
    await this.#ask({ type: 'prepare', spec: this.spec, seed, plugins, quick, cores }, 'prepared', this.#patienceMs)
  }

  async trial(durationMs: number): Promise<TrialAnswer> {
    return this.#ask({ type: 'trial', durationMs }, 'trial', durationMs + this.#patienceMs)
  }

  async finish(): Promise<FinishAnswer> {
    return this.#ask({ type: 'finish' }, 'finished', this.#patienceMs)
  }

  /** Counts the cell's steps, which it need not be prepared for: nothing may be timed after it. */
  async count(seed: number, plugins: readonly string[]): Promise<CountAnswer> {
    return this.#ask({ type: 'count', spec: this.spec, seed, plugins }, 'counted', this.#patienceMs)
  }

  /** Stops the process where it is, all of its threads. */
  pause(): void {
    this.#process.pause()
  }

  resume(): void {
    this.#process.resume()
  }

  /** Ends the process. */
  close(): void {
    this.#process.kill()
  }

  async #ask<T extends Answer['type']>(
    request: Request,
    expected: T,
    limitMs: number,
  ): Promise<Extract<Answer, { type: T }>> {
    const { type } = request
    const asked = await this.#process.ask<Answer>(request, limitMs, this.#signal)
    if (asked.kind === 'answered') return this.#expected(asked.answer, expected, type)
    if (asked.kind === 'ended') {
      const { how, lastWords } = asked.end
      throw new CellFailure(`its process ${how} during ${type}${lastWords === '' ? '' : `: ${lastWords}`}`)
    }
    this.close()
    if (asked.kind === 'aborted') throw new CellInterrupted(`interrupted during ${type}`)
    throw new CellFailure(`hung: no answer to ${type} within ${Math.round(limitMs / 1000)} s`)
  }

  #expected<T extends Answer['type']>(answer: Answer, expected: T, asked: string): Extract<Answer, { type: T }> {
    if (answer.type === expected) return answer as Extract<Answer, { type: T }>
    throw new CellFailure(answer.type === 'failed' ? answer.reason : `answered ${answer.type} to ${asked}`)
  }
}
