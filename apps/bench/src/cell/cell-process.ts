import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { lastWords } from '@vring/linux'
import type { Cores } from '../placement/core-watch.ts'
import type { CellSpec } from './cell-spec.ts'
import type { Answer, CountAnswer, FinishAnswer, Request, TrialAnswer } from './protocol.ts'

/**
 * V8 flags of a process that runs the datapath, those of `vring-serve` too. The datapath is a dozen small methods of five
 * classes, called from one loop: with the default budgets V8 stops inlining half-way.
 */
export const V8_FLAGS: readonly string[] = [
  '--max-inlined-bytecode-size=300',
  '--max-inlined-bytecode-size-cumulative=5000',
]

/**
 * Those of an in-process cell, where what V8 makes of the code is what is measured. The whole round becomes one function;
 * and compiling waits for no other thread, so that every process of a cell compiles the same code: in the background, what
 * is inlined into what depends on which compilation ends first, and one process in three was a tenth quicker. With a real
 * driver cache lines count and not calls: neither flag gains anything there.
 */
const CELL_FLAGS: readonly string[] = [
  ...V8_FLAGS,
  '--max-inlined-bytecode-size-small=200',
  '--no-concurrent-recompilation',
]

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

/** Why a cell has no result: its process died, hung, or said so. */
export class CellFailure extends Error {
  override readonly name = 'CellFailure'
}

/** The answer is not waited for any more: Ctrl-C. */
export class CellInterrupted extends Error {
  override readonly name = 'CellInterrupted'
}

/** The process of one cell. */
export class CellProcess {
  readonly spec: CellSpec
  readonly #child: ChildProcess
  readonly #patienceMs: number
  readonly #signal: AbortSignal | null
  #lastWords = ''
  #exit: string | null = null

  constructor(spec: CellSpec, options: CellProcessOptions = {}) {
    this.spec = spec
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS
    this.#signal = options.signal ?? null
    const source = import.meta.url.endsWith('.ts')
    if (source && spec.hooks === 0) throw new CellFailure(`${spec.id}: only a build has cells without hooks`)
    const name = spec.hooks === 0 ? './cell-without-hooks.js' : source ? './cell.ts' : './cell.js'
    const entry = fileURLToPath(new URL(name, import.meta.url))
    // One isolate, one accessor: inline caches are shared by all instances of a class's callers.
    this.#child = fork(entry, {
      execArgv: [...(options.execArgv ?? process.execArgv), ...CELL_FLAGS],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    const keep = (text: Buffer): void => {
      this.#lastWords = (this.#lastWords + text.toString()).slice(-2000)
    }
    this.#child.stdout?.on('data', keep)
    this.#child.stderr?.on('data', keep)
    this.#child.once('exit', (code, signal) => {
      this.#exit = signal === null ? `exited with code ${code}` : `was killed by ${signal}`
    })
    // A child that is gone can't be written to; the request that was meant for it reports the exit.
    this.#child.on('error', (error) => keep(Buffer.from(error.message)))
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
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** Ends the process. */
  close(): void {
    if (this.#exit === null) this.#child.kill('SIGKILL')
  }

  #ask<T extends Answer['type']>(
    request: Request,
    expected: T,
    limitMs: number,
  ): Promise<Extract<Answer, { type: T }>> {
    const child = this.#child
    const signal = this.#signal
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        child.off('message', onMessage)
        child.off('exit', onExit)
        finish()
      }
      const fail = (reason: string): void => settle(() => reject(new CellFailure(reason)))
      const onMessage = (answer: Answer): void => {
        if (answer.type === expected) settle(() => resolve(answer as Extract<Answer, { type: T }>))
        else fail(answer.type === 'failed' ? answer.reason : `answered ${answer.type} to ${request.type}`)
      }
      const onExit = (): void => fail(this.#epitaph(request.type))
      const onAbort = (): void => {
        this.close()
        settle(() => reject(new CellInterrupted(`interrupted during ${request.type}`)))
      }
      const timer = setTimeout(() => {
        this.close()
        fail(`hung: no answer to ${request.type} within ${Math.round(limitMs / 1000)} s`)
      }, limitMs)
      if (signal?.aborted) return onAbort()
      if (this.#exit !== null) return fail(this.#epitaph(request.type))
      signal?.addEventListener('abort', onAbort)
      child.on('message', onMessage)
      child.once('exit', onExit)
      // A process that can't be written to is on its way out, or is sent there: its exit says why.
      child.send(request, (error) => {
        if (error !== null) this.close()
      })
    })
  }

  #epitaph(during: string): string {
    const lastLine = lastWords(this.#lastWords)
    return `its process ${this.#exit} during ${during}${lastLine === '' ? '' : `: ${lastLine}`}`
  }
}
