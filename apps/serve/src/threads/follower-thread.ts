import type { Worker } from 'node:worker_threads'
import { EventFd } from '@vring/linux'
import { ThreadLink } from '@vring/vhost-user'
import { EXIT_INTERNAL } from '../exit-codes.ts'
import { ServeError } from '../serve-error.ts'
import { CONTROL_CELLS, CONTROL_STOP, type ThreadSettings, type WorkerMessage } from './protocol.ts'
import { startWorker } from './start-worker.ts'

/** How long a thread may take to end when it was asked to, in ms. */
const END_MS = 2000

export interface FollowerThreadOptions extends Omit<ThreadSettings, 'wakeFd' | 'control'> {
  /** Number of the thread, from 1. */
  readonly thread: number
  /** Eventfd that wakes the session's home. */
  readonly homeFd: number
  readonly onMessage: (message: WorkerMessage) => void
  /** It ended without being asked to. */
  readonly onDeath: (failure: ServeError) => void
}

/** A thread that serves some of the queue pairs of a device, as the main thread sees it. */
export class FollowerThread {
  readonly link: ThreadLink
  /** Rejects when it ends before it is ready. */
  readonly ready: Promise<void>
  readonly #wake = EventFd.create()
  readonly #control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_CELLS))
  readonly #worker: Worker
  readonly #exited: Promise<void>
  #asked = false

  constructor({ thread, homeFd, onMessage, onDeath, ...settings }: FollowerThreadOptions) {
    this.link = new ThreadLink(homeFd)
    this.#worker = startWorker({
      ...{ ...settings, wakeFd: this.#wake.fd, control: this.#control.buffer as SharedArrayBuffer },
      seat: { kind: 'follower', thread, end: this.link.follower },
    })
    let failure: ServeError | null = null
    const died = (code: number): ServeError =>
      failure ?? new ServeError(EXIT_INTERNAL, `thread ${thread} of the device ended with code ${code}`)
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: WorkerMessage) => {
        if (message.type === 'ready') resolve()
        else if (message.type === 'failed') failure = new ServeError(message.exitCode, message.message)
        else onMessage(message)
      })
      this.#worker.on('error', (error: Error) => {
        failure ??= new ServeError(EXIT_INTERNAL, `thread ${thread} of the device died: ${error.message}`, error)
      })
      this.#worker.on('exit', (code) => {
        reject(died(code))
        // From here on nothing of it runs: the home goes on without it.
        this.link.ended()
        if (!this.#asked) onDeath(died(code))
      })
    })
    this.ready.catch(() => {})
    this.#exited = new Promise((resolve) => this.#worker.once('exit', () => resolve()))
  }

  /** Ends it wherever it is. */
  terminate(): void {
    void this.#worker.terminate()
  }

  /** Asks it to end, and sees to it; gives back what it was reached by. The home has ended. */
  async close(): Promise<void> {
    this.#asked = true
    this.link.homeEnded()
    Atomics.store(this.#control, CONTROL_STOP, 1)
    this.#wake.signal()
    const timer = setTimeout(() => this.terminate(), END_MS)
    await this.#exited
    clearTimeout(timer)
    this.link.close()
    this.#wake.close()
  }
}
