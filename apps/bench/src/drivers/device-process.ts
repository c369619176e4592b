import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { dieWithParent, lastWords } from '@vring/linux'
import { CellFailure, CellInterrupted, V8_FLAGS } from '../cell/cell-process.ts'

/** How long a process that lost its orchestrator may take to put its devices away, in ms. */
const CLOSE_LIMIT_MS = 5000
/** The same after Ctrl-C, in ms: one that serves a driver looks at nothing else until it is told to finish. */
const INTERRUPT_LIMIT_MS = 300

/** What a device's process answers to a request. */
type DeviceAnswer =
  | { readonly type: 'done'; readonly result: unknown }
  | { readonly type: 'failed'; readonly reason: string }

/** Modules that are a device's process: one accessor that serves a driver, and a peer in its place. */
export type DeviceEntry = 'testpmd-cell' | 'peer-cell'

/** A device in a process of its own: one request, one answer, in turn. It ends with this process, and its devices with it. */
export class DeviceProcess<Request extends object> {
  readonly #child: ChildProcess
  readonly #signal: AbortSignal
  #lastWords = ''

  /** @param signal ends what is asked, and the process with it */
  constructor(entry: DeviceEntry, signal: AbortSignal) {
    this.#signal = signal
    const source = import.meta.url.endsWith('.ts')
    const path = fileURLToPath(new URL(source ? `../cell/${entry}.ts` : `./${entry}.js`, import.meta.url))
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
   * Asks, and waits for the answer.
   *
   * @param limitMs how late the answer may be; Infinity where the caller bounds it
   * @throws CellFailure
   * @throws CellInterrupted by the signal, when the process is gone
   */
  ask<Result>(request: Request, limitMs: number): Promise<Result> {
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
      const onMessage = (answer: DeviceAnswer): void => {
        if (answer.type === 'done') settle(() => resolve(answer.result as Result))
        else fail(answer.reason)
      }
      const interrupted = (): void => settle(() => reject(new CellInterrupted('interrupted')))
      const onExit = (): void =>
        signal.aborted ? interrupted() : fail(`its process ended: ${lastWords(this.#lastWords)}`)
      const onAbort = (): void => this.#end(INTERRUPT_LIMIT_MS)
      const hung = (): void => {
        this.close()
        fail(`hung: no answer within ${Math.round(limitMs / 1000)} s`)
      }
      const timer = Number.isFinite(limitMs) ? setTimeout(hung, limitMs) : undefined
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

  /** Stops the process where it is. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** Ends it: its channel closes, on which it ends itself and what it started; if it does not, by force. */
  close(): void {
    this.#end(CLOSE_LIMIT_MS)
  }

  #end(limitMs: number): void {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    if (child.connected) child.disconnect()
    // One that is stopped does not see that its channel closed.
    this.resume()
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
    timer.unref()
    child.once('exit', () => clearTimeout(timer))
    child.unref()
  }
}

/**
 * Lets this process be a {@link DeviceProcess}: `answer` does what each request asks. It ends when its orchestrator does, also
 * while it is stopped.
 */
export function answerRequests<Request>(answer: (request: Request) => Promise<unknown>): void {
  const send = (message: DeviceAnswer): void => void process.send?.(message)
  if (process.platform === 'linux') dieWithParent()
  // Ctrl-C reaches the whole process group; the orchestrator decides what becomes of its devices.
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit(0))
  process.on('message', (request: Request) => {
    answer(request)
      .then((result): DeviceAnswer => ({ type: 'done', result }))
      .catch((error: unknown): DeviceAnswer => {
        return { type: 'failed', reason: error instanceof Error ? error.message : String(error) }
      })
      .then(send)
  })
}
