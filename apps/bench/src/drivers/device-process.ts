import { dieWithParent, ForkedProcess } from '@vring/linux'
import { CellFailure, CellInterrupted } from '../cell/cell-failure.ts'
import { V8_FLAGS } from '../cell/v8-flags.ts'

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

/**
 * A device in a process of its own: one request, one answer, in turn. It ends with this process, and its devices with
 * it.
 */
export class DeviceProcess<Request extends object> {
  readonly #process: ForkedProcess
  readonly #signal: AbortSignal

  /** @param signal ends what is asked, and the process with it */
  constructor(entry: DeviceEntry, signal: AbortSignal) {
    this.#signal = signal
    const source = import.meta.url.endsWith('.ts')
    this.#process = new ForkedProcess(new URL(source ? `../cell/${entry}.ts` : `./${entry}.js`, import.meta.url), {
      execArgv: [...process.execArgv, ...V8_FLAGS],
      stdout: 'pipe',
    })
  }

  /**
   * Asks, and waits for the answer.
   *
   * @param limitMs how late the answer may be; Infinity where the caller bounds it
   * @throws CellFailure
   * @throws CellInterrupted by the signal, when the process is gone
   */
  async ask<Result>(request: Request, limitMs: number): Promise<Result> {
    const asked = await this.#process.ask<DeviceAnswer>(request, limitMs, this.#signal)
    if (asked.kind === 'answered') {
      if (asked.answer.type === 'done') return asked.answer.result as Result
      throw new CellFailure(asked.answer.reason)
    }
    if (asked.kind === 'late') {
      this.close()
      throw new CellFailure(`hung: no answer within ${Math.round(limitMs / 1000)} s`)
    }
    if (this.#signal.aborted) {
      this.#process.close(INTERRUPT_LIMIT_MS)
      await this.#process.ended
      throw new CellInterrupted('interrupted')
    }
    const { how, lastWords } = await this.#process.ended
    throw new CellFailure(`its process ${how}${lastWords === '' ? '' : `: ${lastWords}`}`)
  }

  /** Stops the process where it is. */
  pause(): void {
    this.#process.pause()
  }

  resume(): void {
    this.#process.resume()
  }

  /** Ends it, and what it started. */
  close(): void {
    this.#process.close(CLOSE_LIMIT_MS)
  }
}

/**
 * Lets this process be a {@link DeviceProcess}: `answer` does what each request asks. It ends when its orchestrator
 * does, also while it is stopped.
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
