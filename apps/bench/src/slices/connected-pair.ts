import { CellInterrupted } from '../cell/cell-failure.ts'
import type { CellSpec } from '../cell/cell-spec.ts'
import type { TestpmdBench } from '../drivers/testpmd.ts'
import type { TestpmdProcess } from '../drivers/testpmd-process.ts'
import type { Sitting, SliceCount } from './slice.ts'

/** What stands on the other side of a driver: a device of this code, or a program in its place. */
export interface PairDevice {
  /** For people. */
  readonly label: string
  /** Does a driver connect to it? If not, one that sends into nothing keeps the driver's CPU as busy. */
  readonly connects: boolean
  /** Starts it; resolves when a driver may connect. */
  start(socket: string): Promise<void>
  /** Resolves when it is over, rejects when it fails, from {@link start} on. */
  readonly ended: Promise<unknown>
  /** Frames so far. */
  count(): Promise<number>
  resume(): Promise<void>
  pause(): Promise<void>
  close(): void
}

/** Frames that say that the driver sends: interfaces that come up have some of their own to tell (IPv6, multicast). */
const FLOW_FRAMES = 1024
/** From the connection to the first packets: negotiation, and testpmd's start. */
const FLOW_LIMIT_MS = 60_000
/** What V8 needs to compile the datapath. */
const WARM_UP_MS = 1000
/** A device that was stopped polls again this long before its driver sends. */
const RESUME_MS = 2
/** Counts that are still growing are looked at again, this often, this far apart. */
const FREEZE_LOOKS = 500
const LOOK_MS = 1

/**
 * A testpmd and a device that stay connected. Both are stopped (SIGSTOP) but for their slices. A slice is the time from
 * the driver's SIGCONT to its SIGSTOP. Frames are counted when the driver stands still. So the count is that of the
 * slice exactly, however long it takes to be told.
 */
export class ConnectedPair<D extends PairDevice = PairDevice> implements Sitting {
  readonly device: D
  failure: string | null = null
  readonly #spec: CellSpec
  readonly #bench: TestpmdBench
  #driver: TestpmdProcess | null = null
  #broken: Promise<never> = new Promise(() => {})
  #frames = 0

  constructor(spec: CellSpec, device: D, bench: TestpmdBench) {
    this.#spec = spec
    this.device = device
    this.#bench = bench
  }

  get label(): string {
    return this.device.label
  }

  async connect(): Promise<void> {
    await this.#attempt(async () => {
      const { device } = this
      const socket = this.#bench.socket()
      await device.start(socket)
      const loopback = this.#spec.backend === 'loopback' ? 'loopback' : 'drop'
      const driver = this.#bench.startDriver(socket, this.#spec, device.connects ? loopback : 'nowhere')
      this.#driver = driver
      this.#broken = new Promise((_, reject) => {
        driver.onEnd(reject)
        device.ended.catch(reject)
      })
      // There may be no awaiting caller at the moment.
      this.#broken.catch(() => {})
      await this.#whole(this.#flow())
      await this.#whole(pause(WARM_UP_MS))
      await this.#stop()
    })
  }

  run(durationMs: number): Promise<SliceCount | null> {
    return this.#attempt(async () => {
      const { device } = this
      if (device.connects) {
        await device.resume()
        await pause(RESUME_MS)
      }
      const from = this.#frames
      const start = performance.now()
      this.#driver!.resume()
      // What no driver connects to sends by itself, from here on.
      if (!device.connects) await device.resume()
      await this.#whole(pause(durationMs))
      const seconds = (performance.now() - start) / 1000
      await this.#stop()
      const packets = this.#frames - from
      if (packets === 0) throw new Error('packets stopped')
      return { packets, seconds }
    })
  }

  /** Lets both run while `work` lasts, which ends with the device's end. */
  async finish(work: () => Promise<void>): Promise<void> {
    await this.#attempt(async () => {
      await this.device.resume()
      this.#driver!.resume()
      await this.#whole(work())
    })
  }

  async close(): Promise<void> {
    this.device.close()
    await this.#driver?.stop()
  }

  /**
   * First what sends: the driver, or what no driver connects to; what is on its way arrives and is counted; then the
   * device.
   */
  async #stop(): Promise<void> {
    const { device } = this
    this.#driver!.pause()
    if (!device.connects) await device.pause()
    await this.#whole(this.#settle())
    if (device.connects) await device.pause()
  }

  async #settle(): Promise<void> {
    for (let look = 0; look < FREEZE_LOOKS; look++) {
      const frames = await this.device.count()
      if (look > 0 && frames === this.#frames) return
      this.#frames = frames
      await pause(LOOK_MS)
    }
    throw new Error('frames arrive although the driver is stopped')
  }

  async #flow(): Promise<void> {
    const end = performance.now() + FLOW_LIMIT_MS
    while ((await this.device.count()) < FLOW_FRAMES) {
      if (performance.now() > end) throw new Error(`no flow of frames within ${FLOW_LIMIT_MS / 1000} s`)
      await pause(10)
    }
  }

  /** `work`, unless driver or device end before it. */
  #whole<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#broken])
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.failure !== null) return null
    try {
      return await work()
    } catch (error) {
      if (error instanceof CellInterrupted) return null
      this.failure = error instanceof Error ? error.message : String(error)
      // Neither may go on beside the others, on their CPUs.
      await this.close()
      return null
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
