import { featureNames, VIRTIO_ID_NET } from '@vring/layout'
import { formatAccessor } from '@vring/registry'
import { formatBackend } from '../config/backend-spec.ts'
import { type CaptureSpec, checkCapture } from '../config/capture-spec.ts'
import type { ServeConfig } from '../config/serve-config.ts'
import type { Device } from '../host-side/device.ts'
import { LinkWatch } from '../host-side/link-watch.ts'
import { openDevice } from '../host-side/open-device.ts'
import type { Log } from '../log/log.ts'
import { History } from '../status/history.ts'
import type { LinkObservation, Observation } from '../status/metrics.ts'
import type { Snapshot } from '../status/snapshot.ts'
import { ServeThread } from '../threads/serve-thread.ts'
import { type OpenedSocket, openSocket } from './listen.ts'
import { LossWatch } from './loss-watch.ts'

/** How often it is looked at what a device has done, while a driver is connected, ms. */
export const LOOK_MS = 5000
/** When a driver has had time to set itself up, ms. */
const SETTLED_MS = 1000

/** A device that is served: its socket, its host side and its worker. */
export class RunningDevice {
  readonly config: ServeConfig
  readonly history = new History(LOOK_MS)
  readonly #log: Log
  readonly #device: Device
  readonly #link: LinkWatch | null
  readonly #socket: OpenedSocket
  readonly #losses: LossWatch
  #thread: ServeThread | null = null
  #timer: NodeJS.Timeout | null = null
  #closed: Promise<void> | null = null

  private constructor(config: ServeConfig, log: Log) {
    this.config = config
    this.#log = log
    this.#losses = new LossWatch(log)
    this.#socket = openSocket(config)
    try {
      this.#device = openDevice(config)
      try {
        this.#link = this.#device.link === null ? null : LinkWatch.start(this.#device.link, log)
      } catch (error) {
        this.#device.close()
        throw error
      }
    } catch (error) {
      this.#socket.close()
      throw error
    }
  }

  /**
   * Opens everything and starts the worker. Nothing stays open when it fails.
   *
   * @throws ServeError
   */
  static async start(config: ServeConfig, log: Log): Promise<RunningDevice> {
    const device = new RunningDevice(config, log)
    try {
      await device.#start()
      return device
    } catch (error) {
      await device.close()
      throw error
    }
  }

  /** Resolves when the worker has ended by itself; rejects when it failed. */
  get done(): Promise<Snapshot> {
    return this.#thread!.done
  }

  /** What it has done, and how the host side is. @throws ServeError when the worker does not answer */
  async observe(): Promise<Observation> {
    const link = this.#link
    return {
      snapshot: await this.#thread!.snapshot(),
      kernel: this.#device.kernelCounts(),
      link: link === null ? null : observeLink(link),
      history: this.history.points,
    }
  }

  /** Begins a capture beside the datapath. @throws ServeError */
  async beginCapture(spec: CaptureSpec): Promise<void> {
    checkCapture('file', spec, this.config)
    return this.#thread!.command({ kind: 'begin-capture', spec })
  }

  /** Ends the captures into a file. @throws ServeError: there is none */
  endCapture(path: string): Promise<void> {
    return this.#thread!.command({ kind: 'end-capture', path })
  }

  /** Asks the worker to end. */
  stop(): void {
    this.#thread?.stop()
  }

  /** Ends it and gives everything back. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #start(): Promise<void> {
    const { config } = this
    const { socket, role, accessor, plugins, queuePairs, threads, announce, captures, memory } = config
    const { datapath, features, notes } = this.#device
    this.#thread = await ServeThread.start({
      ...{ socket, fd: this.#socket.fd, role, accessor, plugins, queuePairs, threads, announce, captures, memory },
      ...{ datapath, features },
      onNote: this.#log,
      onGone: () => this.#link?.gone(),
      onSession: (event) => {
        if (event.type === 'opened') {
          const { pid, uid } = event.peer
          this.#log(
            `a driver connected: ${pid === 0 ? 'a process that is not seen from here' : `pid ${pid}`}, uid ${uid}`,
          )
          this.#look()
        } else this.#log(event.error === null ? 'the driver hung up' : `the driver's session ended: ${event.error}`)
      },
    })
    for (const line of notes) this.#log(line)
    const verb = role === 'server' ? 'listening on' : 'connecting to'
    this.#log(
      `${verb} ${socket}; ${formatBackend(config.backend)}, accessor ${formatAccessor(accessor)}, ${queuePairs} queue pair${queuePairs === 1 ? '' : 's'}${threads === 1 ? '' : ` over ${threads} threads`}`,
    )
  }

  /** Looks again and again while a driver is connected; an idle device is left alone. */
  #look(): void {
    if (this.#timer !== null) return
    let described = 0
    let waited = 0
    let last = 0
    const look = async (): Promise<void> => {
      this.#timer = null
      const snapshot = await this.#thread!.snapshot().catch(() => null)
      if (snapshot === null || this.#closed !== null) return
      // That its program was taken off is told to those who ask.
      this.#link?.info()
      this.#losses.see(snapshot)
      if (snapshot.session !== null && waited !== snapshot.sessions && this.#socket.waits()) {
        waited = snapshot.sessions
        this.#log('another driver waits for this one to leave: one at a time', 'warn')
      }
      const now = performance.now()
      if (last === 0 || now - last >= LOOK_MS / 2) {
        last = now
        this.history.add(snapshot)
      }
      if (snapshot.session !== null && snapshot.sessions !== described && snapshot.queues.length > 0) {
        described = snapshot.sessions
        this.#log(describe(snapshot))
      }
      // Again after it has left: the last losses, and rates that fall to zero.
      if (snapshot.session !== null || !this.history.isQuiet) this.#again(look, LOOK_MS)
    }
    this.#again(look, SETTLED_MS)
  }

  #again(look: () => Promise<void>, ms: number): void {
    this.#timer = setTimeout(() => void look(), ms).unref()
  }

  async #close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    const thread = this.#thread
    thread?.stop()
    // It has to let go of the device's descriptors first; why it failed was said.
    await thread?.done.catch(() => {})
    await this.#link?.close()
    this.#device.close()
    this.#socket.close()
  }
}

function observeLink(link: LinkWatch): LinkObservation {
  const info = link.info()
  return { name: link.name, up: link.up, place: link.place, hasProgram: link.hasProgram, info }
}

function describe({ session, queues }: Snapshot): string {
  const { features, memoryBytes } = session!
  const sizes = [...new Set(queues.map(({ size }) => size))].join(' and ')
  return `the driver runs ${queues.length} rings of ${sizes}, ${Math.round(memoryBytes / 2 ** 20)} MiB of memory; ${featureNames(BigInt(features), VIRTIO_ID_NET)}`
}
