import { Worker } from 'node:worker_threads'
import { ROUND_TRIP_BYTES, type RoundTripMethod, startThread } from '@vring/linux'
import { median } from '../stats/index.ts'
import { BLOCKS, type CoreWorkerData, type WorkerAnswer } from './probe-protocol.ts'

/** The round trip of a cache line between two CPUs at one moment. */
export interface RoundTrip {
  /** Median of the blocks, ns; null: it could not be measured. */
  readonly ns: number | null
  /** Why not; null: it was. */
  readonly reason: string | null
  /** Were both ends under SCHED_FIFO? */
  readonly fifo: boolean
  readonly method: RoundTripMethod | null
}

/** How long both ends may take, in ms: far beyond their own limit. */
const LIMIT_MS = 5000
/** A thread that sleeps gets its CPU late where others run, and the other end waits in vain. */
const ATTEMPTS = 3
/** Blocks that are this far from the median were interrupted. */
const STEADY = 1.25

/** Two threads that measure the round trip of a cache line between any two CPUs, one measurement at a time. */
export class CoreProbe {
  readonly #memory: SharedArrayBuffer
  readonly #initiator: Worker
  readonly #responder: Worker

  private constructor(memory: SharedArrayBuffer, initiator: Worker, responder: Worker) {
    this.#memory = memory
    this.#initiator = initiator
    this.#responder = responder
  }

  /**
   * Starts both threads.
   *
   * @param method default: machine code where it can be, else Atomics
   */
  static async start(method?: RoundTripMethod): Promise<CoreProbe> {
    const memory = new SharedArrayBuffer(ROUND_TRIP_BYTES)
    const initiator = startCoreWorker({ role: 'initiator', memory, method })
    const responder = startCoreWorker({ role: 'responder', memory, method })
    // An end waits for the other one for a bounded time, in which no module is loaded.
    await Promise.all([ready(initiator), ready(responder)])
    return new CoreProbe(memory, initiator, responder)
  }

  /** Measures between two CPUs. Nothing is thrown: what can't be measured, in some attempts, says why. */
  async roundTrip(initiator: number, responder: number): Promise<RoundTrip> {
    for (let attempt = 1; ; attempt++) {
      const trip = await this.#attempt(initiator, responder)
      if (trip.ns !== null || attempt === ATTEMPTS) return trip
    }
  }

  async #attempt(initiator: number, responder: number): Promise<RoundTrip> {
    // Neither end runs: the next count begins at zero.
    new Uint8Array(this.#memory).fill(0)
    const answers = await Promise.all([ask(this.#responder, responder), ask(this.#initiator, initiator)])
    const [response, initiation] = answers
    for (const answer of answers)
      if (answer.type === 'failed') return { ns: null, reason: answer.reason, fifo: false, method: null }
    if (response!.type === 'failed' || initiation!.type === 'failed') throw new Error('unreachable')
    const { blocksNs, method } = initiation!
    const fifo = initiation!.fifo && response!.fifo
    const ns = median(blocksNs)
    const steady = blocksNs.filter((block) => block < ns * STEADY && block > ns / STEADY).length
    if (2 * steady <= BLOCKS)
      return { ns: null, reason: 'the round trip is not steady for a millisecond', fifo, method }
    return { ns, reason: null, fifo, method }
  }

  async close(): Promise<void> {
    await Promise.all([this.#initiator.terminate(), this.#responder.terminate()])
  }
}

function ready(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('message', () => resolve())
    worker.once('error', reject)
  })
}

function ask(worker: Worker, cpu: number): Promise<WorkerAnswer> {
  return new Promise((resolve) => {
    const settle = (answer: WorkerAnswer): void => {
      clearTimeout(timer)
      worker.off('message', settle)
      worker.off('error', onError)
      resolve(answer)
    }
    const onError = (error: Error): void => settle({ type: 'failed', reason: error.message })
    const timer = setTimeout(() => settle({ type: 'failed', reason: `CPU ${cpu} did not answer` }), LIMIT_MS)
    worker.on('message', settle)
    worker.on('error', onError)
    worker.postMessage(cpu)
  })
}

function startCoreWorker(workerData: CoreWorkerData): Worker {
  const source = import.meta.url.endsWith('.ts')
  const entry = new URL(source ? './core-worker.ts' : './core-worker.js', import.meta.url)
  const worker = startThread(Worker, entry, { workerData })
  // It does not keep the process alive.
  worker.unref()
  return worker
}
