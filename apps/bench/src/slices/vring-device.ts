import { CellInterrupted } from '../cell/cell-failure.ts'
import type { CellSpec } from '../cell/cell-spec.ts'
import { DeviceProcess } from '../drivers/device-process.ts'
import { Board } from './board.ts'
import type { PairDevice } from './connected-pair.ts'

/** What the process of an accessor is asked. */
export type DeviceRequest = ListenRequest | { readonly type: 'serve' }

/** Makes the device, and the socket that its driver connects to. */
export interface ListenRequest {
  readonly type: 'listen'
  readonly spec: CellSpec
  readonly plugins: readonly string[]
  readonly socket: string
  readonly board: string
  readonly cpu: number
}

/** What a device knows at its end. */
export interface ServedDevice {
  /** Of the different frames, their verdicts and protocols. */
  readonly hash: string
  readonly accesses: Record<string, number>
  /** Names of the features that were negotiated. */
  readonly features: readonly string[]
  readonly residentBytes: number
}

/** A process loads its modules meanwhile, beside others that do. */
const LISTEN_LIMIT_MS = 90_000
/** Looks of a device, a millisecond apart, from which on a count has all that was on its way. */
const FRESH_LOOKS = 2

/** One accessor that serves a driver in a process of its own. */
export class VringDevice implements PairDevice {
  readonly spec: CellSpec
  readonly connects = true
  readonly #process: DeviceProcess<DeviceRequest>
  readonly #plugins: readonly string[]
  readonly #cpu: number
  readonly #patienceMs: number
  #board: Board | null = null
  #ended: Promise<ServedDevice> = new Promise(() => {})

  constructor(
    spec: CellSpec,
    options: {
      readonly plugins: readonly string[]
      readonly cpu: number
      readonly patienceMs: number
      readonly signal: AbortSignal
    },
  ) {
    this.spec = spec
    this.#process = new DeviceProcess('testpmd-cell', options.signal)
    this.#plugins = options.plugins
    this.#cpu = options.cpu
    this.#patienceMs = options.patienceMs
  }

  get label(): string {
    return this.spec.id
  }

  get ended(): Promise<ServedDevice> {
    return this.#ended
  }

  async start(socket: string): Promise<void> {
    const board = `${socket}.board`
    this.#board = new Board(board)
    const request = { spec: this.spec, plugins: this.#plugins, cpu: this.#cpu, socket, board }
    await this.#process.ask({ type: 'listen', ...request }, LISTEN_LIMIT_MS + this.#patienceMs)
    this.#ended = this.#process.ask<ServedDevice>({ type: 'serve' }, Number.POSITIVE_INFINITY)
    this.#ended.catch(() => {})
  }

  /** Waits until the device has looked twice, so that what its driver sent last is in the count. */
  async count(): Promise<number> {
    const board = this.#board!
    board.ask(true)
    const from = board.looks
    const end = performance.now() + this.#patienceMs
    while (((board.looks - from) | 0) < FRESH_LOOKS) {
      if (board.closed) throw new CellInterrupted('closed while it was counted')
      if (performance.now() > end) throw new Error(`hung: no look within ${Math.round(this.#patienceMs / 1000)} s`)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    board.ask(false)
    return board.frames
  }

  async resume(): Promise<void> {
    this.#process.resume()
  }

  async pause(): Promise<void> {
    this.#process.pause()
  }

  /** Asks it to end; it samples frames first, which its driver has to send. */
  finish(): Promise<ServedDevice> {
    this.#board!.finish()
    return this.#ended
  }

  close(): void {
    this.#process.close()
    this.#board?.close()
  }
}
