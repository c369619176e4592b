import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LastWords } from './last-words.ts'

export interface ForkedOptions {
  /** Flags of Node and V8. */
  readonly execArgv: readonly string[]
  /** Its standard output: kept for its last words (`pipe`), not read, or that of this process. */
  readonly stdout: 'pipe' | 'ignore' | 'inherit'
}

/** How a process ended. */
export interface ForkedEnd {
  /** `exited with code 1`, `was killed by SIGKILL`, `was not started: ...`. */
  readonly how: string
  /** The line of its output that says most; empty: it said nothing. */
  readonly lastWords: string
}

/** What became of a request. */
export type ForkedAnswer<Answer> =
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'ended'; readonly end: ForkedEnd }
  /** The process still runs, and may answer yet. */
  | { readonly kind: 'late' | 'aborted' }

/** After the exit, what a process wrote is read for so long at most, in ms: its children may have its pipes, and live on. */
const WORDS_LIMIT_MS = 1000
/** One that can't be written to is on its way out; it is killed after so long, in ms. */
const UNREACHABLE_LIMIT_MS = 5000

/**
 * A module of this program in a process of its own: requests and answers over IPC, one at a time. When it ends, its
 * last words say why. It is to end itself when its channel closes (`disconnect`), which it also does when this process
 * ends.
 */
export class ForkedProcess {
  /** Resolves when the process is gone; never rejects. */
  readonly ended: Promise<ForkedEnd>
  readonly #child: ChildProcess

  /** @param entry URL of the module */
  constructor(entry: URL, { execArgv, stdout }: ForkedOptions) {
    const child = fork(fileURLToPath(entry), {
      execArgv: [...execArgv],
      stdio: ['ignore', stdout, 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    this.#child = child
    const words = new LastWords(child.stdout, child.stderr)
    // The event `close` says the same, but not where this side closed the channel.
    const told = Promise.all([words.ended, new Promise((resolve) => child.once('disconnect', resolve))])
    this.ended = new Promise((resolve) => {
      child.once('exit', async (code, signal) => {
        await Promise.race([told, sleep(WORDS_LIMIT_MS, null, { ref: false })])
        resolve({
          how: signal === null ? `exited with code ${code}` : `was killed by ${signal}`,
          lastWords: words.line,
        })
      })
      // Also of a signal that can't be sent: then its end is told by the rest.
      child.on('error', ({ message }) => {
        if (child.pid === undefined) resolve({ how: `was not started: ${message}`, lastWords: '' })
      })
    })
  }

  /**
   * Sends a request and waits for the next message.
   *
   * @param request plain data, as the answer: both pass between processes
   * @param limitMs how late the answer may be; Infinity where the caller bounds it
   */
  ask<Answer>(request: object, limitMs: number, signal?: AbortSignal): Promise<ForkedAnswer<Answer>> {
    const child = this.#child
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve({ kind: 'aborted' })
      this.#send(request)
      const settle = (answer: ForkedAnswer<Answer>): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        child.off('message', onMessage)
        resolve(answer)
      }
      const onMessage = (answer: unknown): void => settle({ kind: 'answered', answer: answer as Answer })
      const onAbort = (): void => settle({ kind: 'aborted' })
      const onLate = (): void => settle({ kind: 'late' })
      const timer = Number.isFinite(limitMs) ? setTimeout(onLate, limitMs) : undefined
      signal?.addEventListener('abort', onAbort)
      child.on('message', onMessage)
      void this.ended.then((end) => settle({ kind: 'ended', end }))
    })
  }

  /** Stops the process where it is, all of its threads. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** Ends the process where it is. */
  kill(): void {
    if (this.#running) this.#child.kill('SIGKILL')
  }

  /** Closes its channel, on which it ends itself and what it started; if it does not within a time in ms, by force. */
  close(limitMs: number): void {
    if (!this.#running) return
    const child = this.#child
    if (child.connected) child.disconnect()
    // One that is stopped does not see that its channel closed.
    this.resume()
    this.#killAfter(limitMs)
    child.unref()
  }

  get #running(): boolean {
    const { pid, exitCode, signalCode } = this.#child
    return pid !== undefined && exitCode === null && signalCode === null
  }

  #send(request: object): void {
    if (!this.#running) return
    const unreachable = (): void => this.#killAfter(UNREACHABLE_LIMIT_MS)
    if (!this.#child.connected) unreachable()
    else
      this.#child.send(request, (error) => {
        if (error !== null) unreachable()
      })
  }

  #killAfter(limitMs: number): void {
    const timer = setTimeout(() => this.kill(), limitMs)
    timer.unref()
    void this.ended.then(() => clearTimeout(timer))
  }
}
