import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { CellFailure, CellInterrupted, PATIENCE_MS, V8_FLAGS } from '../cell-process.ts'
import { lastWords } from '../last-words.ts'

/** How long a driver may take to start, connect and send, in ms. */
const START_LIMIT_MS = 90_000
/** How long a process that lost its orchestrator may take to put its devices away, in ms. */
const CLOSE_LIMIT_MS = 5000
/** The same after Ctrl-C, in ms: one that serves a driver looks at nothing else until its trial is over. */
const INTERRUPT_LIMIT_MS = 300

/** What a device's process says: it can be connected to; then what was measured, or why nothing was. */
export type DeviceAnswer<T> =
  | { readonly type: 'listening' }
  | { readonly type: 'served'; readonly result: T }
  | { readonly type: 'failed'; readonly reason: string }

/** Modules that are a device's process: one accessor that serves a driver, and a peer in its place. */
export type DeviceEntry = 'testpmd-cell' | 'peer-cell'

/** A device in a process of its own, for one trial at a time. It ends with this process, and its devices with it. */
export class DeviceProcess<Request, Result> {
  readonly #child: ChildProcess
  readonly #limitMs: number
  readonly #signal: AbortSignal
  #lastWords = ''

  /**
   * @param signal ends the trial that runs, and the process with it
   * @param patienceMs how late an answer may be beyond the start of a driver
   */
  constructor(entry: DeviceEntry, signal: AbortSignal, patienceMs: number = PATIENCE_MS) {
    this.#signal = signal
    this.#limitMs = START_LIMIT_MS + patienceMs
    const source = import.meta.url.endsWith('.ts')
    const path = fileURLToPath(new URL(source ? `../${entry}.ts` : `./${entry}.js`, import.meta.url))
    this.#child = fork(path, {
      execArgv: [...process.execArgv, ...V8_FLAGS],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    const keep = (text: Buffer): void => {
      this.#lastWords = (this.#lastWords + text.toString()).slice(-2000)
    }
    this.#child.stdout?.on('data', keep)
    this.#child.stderr?.on('data', keep)
  }

  /**
   * One trial; `onListening` starts the driver.
   *
   * @throws CellFailure
   * @throws CellInterrupted by the signal, when the process is gone
   */
  serve(request: Request & object, onListening: () => void): Promise<Result> {
    const child = this.#child
    const signal = this.#signal
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        child.off('message', onMessage)
        child.off('exit', onExit)
        finish()
      }
      const fail = (reason: string): void => settle(() => reject(new CellFailure(reason)))
      const onMessage = (answer: DeviceAnswer<Result>): void => {
        if (answer.type === 'listening') onListening()
        else if (answer.type === 'served') settle(() => resolve(answer.result))
        else fail(answer.reason)
      }
      const interrupted = (): void => settle(() => reject(new CellInterrupted('interrupted during a trial')))
      const onExit = (): void =>
        signal.aborted ? interrupted() : fail(`its process ended: ${lastWords(this.#lastWords)}`)
      const onAbort = (): void => this.#end(INTERRUPT_LIMIT_MS)
      const timer = setTimeout(() => {
        this.close()
        fail(`hung: no answer within ${Math.round(this.#limitMs / 1000)} s`)
      }, this.#limitMs)
      if (signal.aborted) return interrupted()
      if (child.exitCode !== null || child.signalCode !== null) return onExit()
      signal.addEventListener('abort', onAbort)
      child.on('message', onMessage)
      child.once('exit', onExit)
      child.send(request, (error) => {
        if (error !== null) fail(`can't be reached: ${error.message}`)
      })
    })
  }

  /** Ends it: its channel closes, on which it ends itself and what it started; if it does not, by force. */
  close(): void {
    this.#end(CLOSE_LIMIT_MS)
  }

  #end(limitMs: number): void {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    if (child.connected) child.disconnect()
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
    timer.unref()
    child.once('exit', () => clearTimeout(timer))
    child.unref()
  }
}

/**
 * Lets this process be a {@link DeviceProcess}: `serve` answers each request. It ends when its orchestrator does.
 *
 * @param serve resolves with what was measured; calls `listening` when a driver may connect
 */
export function answerRequests<Request, Result>(
  serve: (request: Request, listening: () => void) => Promise<Result>,
): void {
  const send = (answer: DeviceAnswer<Result>): void => void process.send?.(answer)
  // Ctrl-C reaches the whole process group; the orchestrator decides what becomes of its devices.
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit(0))
  process.on('message', (request: Request) => {
    serve(request, () => send({ type: 'listening' }))
      .then((result): DeviceAnswer<Result> => ({ type: 'served', result }))
      .catch((error: unknown): DeviceAnswer<Result> => {
        return { type: 'failed', reason: error instanceof Error ? error.message : String(error) }
      })
      .then(send)
  })
}
