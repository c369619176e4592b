import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import { EventFd } from '@vring/linux'
import { EXIT_INTERNAL, EXIT_USAGE } from '../exit-codes.ts'
import type { Log } from '../log/log.ts'
import { ServeError } from '../serve-error.ts'
import type { Snapshot } from '../status/snapshot.ts'
import { FollowerThread } from './follower-thread.ts'
import {
  CONTROL_CELLS,
  CONTROL_SNAPSHOT,
  CONTROL_STOP,
  type HomeSeat,
  type NumberedCommand,
  type ThreadSettings,
  type WorkerCommand,
  type WorkerMessage,
} from './protocol.ts'
import { startWorker } from './start-worker.ts'

/** How long to wait for a snapshot, ms: the worker looks once a millisecond, unless it is mapping a driver's memory. */
const SNAPSHOT_LIMIT_MS = 2000

export interface ServeThreadOptions
  extends Omit<ThreadSettings, 'wakeFd' | 'control'>,
    Pick<HomeSeat, 'socket' | 'fd' | 'role' | 'memory'> {
  /** One line for people. */
  readonly onNote?: Log
  /** The device was found to be deleted. */
  readonly onGone?: () => void
  /** A driver came or went. */
  readonly onSession?: (event: Extract<WorkerMessage, { type: 'opened' | 'closed' }>) => void
}

/** The threads that serve a device, the one with the socket and those that follow it, as the main thread sees them. */
export class ServeThread {
  /** Resolves with the last snapshot when the threads have given everything back; rejects when one failed. */
  readonly done: Promise<Snapshot>
  readonly #worker: Worker
  readonly #wake: EventFd
  readonly #control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_CELLS))
  readonly #waiting = new Map<number, (snapshot: Snapshot) => void>()
  readonly #commands: MessagePort
  readonly #pending = new Map<number, (error: string | null) => void>()
  readonly #followers: readonly FollowerThread[]
  /** Why a thread that follows ended, or null. */
  #death: ServeError | null = null
  #number = 0
  #ended = false

  private constructor(options: ServeThreadOptions, wake: EventFd, followers: readonly FollowerThread[]) {
    this.#wake = wake
    this.#followers = followers
    const { socket, fd, role, memory } = options
    const control = this.#control.buffer as SharedArrayBuffer
    const commands = new MessageChannel()
    this.#commands = commands.port1
    // It keeps no process alive.
    this.#commands.unref()
    const homes = followers.map(({ link }) => link.home)
    this.#worker = startWorker({
      ...{ ...settingsOf(options), wakeFd: this.#wake.fd, control },
      seat: { kind: 'home', socket, fd, role, memory, commands: commands.port2, followers: homes },
    })
    this.#worker.on('message', (message: WorkerMessage) => {
      if (message.type === 'snapshot') this.#answer(message.request, message.snapshot)
      else if (message.type === 'note') options.onNote?.(message.line, message.level)
      else if (message.type === 'gone') options.onGone?.()
      else if (message.type === 'overdue') this.#followers[message.thread - 1]?.terminate()
      else if (message.type === 'done') this.#pending.get(message.number)?.(message.error)
      else if (message.type === 'opened' || message.type === 'closed') options.onSession?.(message)
    })
    this.done = this.#outcome()
    // A caller that awaits it gets the failure; none has to.
    this.done.catch(() => {})
  }

  /**
   * Starts the threads and waits until the socket is there. Nothing stays open when that fails.
   *
   * @throws ServeError with the argument that asked for what failed
   */
  static async start(options: ServeThreadOptions): Promise<ServeThread> {
    const wake = EventFd.create()
    let thread: ServeThread | null = null
    const deaths: ServeError[] = []
    const followers = Array.from(
      { length: options.threads - 1 },
      (_, index) =>
        new FollowerThread({
          ...{ ...settingsOf(options), thread: index + 1, homeFd: wake.fd },
          onMessage: (message) => {
            if (message.type === 'note') options.onNote?.(message.line, message.level)
            else if (message.type === 'gone') options.onGone?.()
          },
          onDeath: (failure) => {
            deaths.push(failure)
            if (thread !== null) thread.#died(failure)
          },
        }),
    )
    try {
      // A driver may connect as soon as the socket is there.
      await Promise.all(followers.map(({ ready }) => ready))
    } catch (error) {
      await Promise.all(followers.map((one) => one.close()))
      wake.close()
      throw error
    }
    thread = new ServeThread(options, wake, followers)
    if (deaths.length > 0) thread.#died(deaths[0]!)
    await Promise.race([thread.#told('ready'), thread.done])
    return thread
  }

  /**
   * What has been done so far.
   *
   * @throws ServeError when the worker does not answer, or is gone
   */
  async snapshot(): Promise<Snapshot> {
    if (this.#ended) return this.done
    const request = Atomics.add(this.#control, CONTROL_SNAPSHOT, 1) + 1
    let timer: NodeJS.Timeout | undefined
    const answer = new Promise<Snapshot>((resolve, reject) => {
      this.#waiting.set(request, resolve)
      timer = setTimeout(
        () => reject(new ServeError(EXIT_INTERNAL, `the worker does not answer within ${SNAPSHOT_LIMIT_MS} ms`)),
        SNAPSHOT_LIMIT_MS,
      )
    })
    this.#wake.signal()
    try {
      return await Promise.race([answer, this.done])
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(request)
    }
  }

  /**
   * Has the worker do something between two rounds.
   *
   * @throws ServeError: it was refused, or the worker does not answer
   */
  async command(command: WorkerCommand): Promise<void> {
    if (this.#ended) throw new ServeError(EXIT_INTERNAL, 'the worker has ended')
    const number = ++this.#number
    let timer: NodeJS.Timeout | undefined
    const answer = new Promise<string | null>((resolve, reject) => {
      this.#pending.set(number, resolve)
      timer = setTimeout(
        () => reject(new ServeError(EXIT_INTERNAL, `the worker does not answer within ${SNAPSHOT_LIMIT_MS} ms`)),
        SNAPSHOT_LIMIT_MS,
      )
    })
    const message: NumberedCommand = { number, command }
    this.#commands.postMessage(message)
    this.#wake.signal()
    try {
      const error = await answer
      if (error !== null) throw new ServeError(EXIT_USAGE, error)
    } finally {
      clearTimeout(timer)
      this.#pending.delete(number)
    }
  }

  /** Asks the worker to end; {@link done} tells when it has. */
  stop(): void {
    Atomics.store(this.#control, CONTROL_STOP, 1)
    this.#wake.signal()
  }

  /** All requests up to this number are answered: the worker answers the latest only. */
  #answer(request: number, snapshot: Snapshot): void {
    for (const [number, resolve] of this.#waiting) if (number <= request) resolve(snapshot)
  }

  /** A thread that follows has ended: the home ends its session and then itself. */
  #died(failure: ServeError): void {
    this.#death ??= failure
    if (!this.#ended) this.#wake.signal()
  }

  #told(type: WorkerMessage['type']): Promise<void> {
    return new Promise((resolve) => {
      const listen = (message: WorkerMessage): void => {
        if (message.type !== type) return
        this.#worker.off('message', listen)
        resolve()
      }
      this.#worker.on('message', listen)
    })
  }

  async #outcome(): Promise<Snapshot> {
    let last: Snapshot | null = null
    let failure: ServeError | null = null
    this.#worker.on('message', (message: WorkerMessage) => {
      if (message.type === 'stopped') last = message.snapshot
      if (message.type === 'failed') failure = new ServeError(message.exitCode, message.message)
    })
    this.#worker.on('error', (error: Error) => {
      failure ??= new ServeError(EXIT_INTERNAL, `the worker thread died: ${error.message}`, error)
    })
    const code = await new Promise<number>((resolve) => this.#worker.once('exit', resolve))
    this.#ended = true
    await Promise.all(this.#followers.map((one) => one.close()))
    this.#commands.close()
    this.#wake.close()
    failure ??= this.#death
    if (failure !== null) throw failure
    if (last === null) throw new ServeError(EXIT_INTERNAL, `the worker thread ended with code ${code}`)
    return last
  }
}

/** What all threads of the device are started with. */
function settingsOf(options: ServeThreadOptions): Omit<ThreadSettings, 'wakeFd' | 'control'> {
  const { accessor, plugins, queuePairs, threads, announce, features, captures, datapath } = options
  return { accessor, plugins, queuePairs, threads, announce, features, captures, datapath }
}
