import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UnixListener, type UnixSocket, unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, expect } from 'vitest'
import { DaemonProcess } from './daemon-process.ts'
import { echoText, longestEcho } from './longest-echo.ts'
import {
  ACCESS_PLATFORM,
  BACKEND_REQ,
  FEATURES,
  GUEST,
  PROTOCOL,
  RawFrontend,
  type RawOptions,
  RING_PACKED,
} from './raw-frontend.ts'

/** Why the built daemon can't be attacked here, or null. */
export const hostileRigMissing: string | null = unsupportedHost() ?? (process.getuid?.() === 0 ? null : 'needs root')

/** A way to the device. */
export interface Variant {
  readonly name: string
  /** What the driver acknowledges. Default {@link FEATURES}. */
  readonly features?: bigint
  /** The driver listens. */
  readonly client?: boolean
  /** Default `loopback`. */
  readonly backend?: string
  /** Pairs. Default 2. */
  readonly queues?: number
  /** More arguments of the daemon. */
  readonly args?: readonly string[]
}

const TRANSLATED = ['--accessor', 'iotlb-translated']
export const SPLIT: Variant = { name: 'split' }
export const PACKED: Variant = { name: 'packed', features: FEATURES | RING_PACKED }
export const IOTLB: Variant = {
  ...{ name: 'IOTLB', features: FEATURES | ACCESS_PLATFORM },
  args: TRANSLATED,
}
export const PACKED_IOTLB: Variant = {
  ...{ name: 'packed, IOTLB', features: FEATURES | ACCESS_PLATFORM | RING_PACKED },
  args: TRANSLATED,
}
export const CLIENT: Variant = { name: '--client', client: true }

/** A built daemon with a device of two pairs, and raw frontends that mean no good. */
export class HostileRig {
  folder = ''
  socket = ''
  daemon!: DaemonProcess
  #listener: UnixListener | null = null
  #open: { close(): void }[] = []

  /** In a `describe`: its hooks make and remove what each test uses. */
  constructor() {
    beforeEach(() => {
      this.folder = mkdtempSync(join(tmpdir(), 'vring-hostile-'))
      this.socket = join(this.folder, 'vring.sock')
    })
    afterEach(async () => {
      await this.end()
      rmSync(this.folder, { recursive: true })
    })
  }

  /** Starts a daemon. @param by a command that runs it */
  async serve(
    { args = [], client = false, backend = 'loopback', queues = 2 }: Partial<Variant> = {},
    by: readonly string[] = [],
  ): Promise<DaemonProcess> {
    if (client) this.#listener = UnixListener.listen(this.socket)
    const common = ['--socket', this.socket, '--backend', backend, '--queues', `${queues}`, '--metrics', '127.0.0.1:0']
    this.daemon = new DaemonProcess([...common, ...args, ...(client ? ['--client'] : [])], { from: 'built', by })
    await this.daemon.ready()
    return this.daemon
  }

  /** Starts a daemon of two devices: this one, and a loopback at the socket that it returns. */
  async serveBeside({ args = [], client = false, backend = 'loopback' }: Variant): Promise<string> {
    if (client) this.#listener = UnixListener.listen(this.socket)
    const beside = join(this.folder, 'beside.sock')
    const accessor = args.length > 0 ? { accessor: args[1] } : {}
    const common = { backend: 'loopback', queues: 2 }
    const devices = [
      { ...common, ...accessor, name: 'attacked', socket: this.socket, backend, client, 'memory-max': '1T' },
      { ...common, name: 'beside', socket: beside },
    ]
    const file = join(this.folder, 'devices.json')
    writeFileSync(file, JSON.stringify({ devices }))
    this.daemon = new DaemonProcess(['--config', file, '--metrics', '127.0.0.1:0'], { from: 'built' })
    await this.daemon.says(/attacked: (listening on|connecting to) .+\n/)
    await this.daemon.says(/beside: listening on .+\n/)
    return beside
  }

  /** Closes it when the test, or {@link leave}, ends. */
  keep<T extends { close(): void }>(one: T): T {
    this.#open.push(one)
    return one
  }

  /** A driver that has negotiated, whichever side listens; its memory can be shortened. */
  async connect(options: RawOptions = {}): Promise<RawFrontend> {
    const all = { memfd: { sealed: false }, ...options }
    const listener = this.#listener
    if (listener === null) return this.keep(await RawFrontend.negotiate(this.socket, all))
    let accepted: UnixSocket | null = null
    for (const end = performance.now() + 60_000; accepted === null; ) {
      accepted = listener.accept()
      if (performance.now() > end) throw new Error('the daemon does not connect')
      if (accepted === null) await new Promise((resolve) => setTimeout(resolve, 2))
    }
    return this.keep(await RawFrontend.accepted(accepted, all))
  }

  /** Has a driver that has negotiated start two pairs, and answer what its device asks. */
  async start(driver: RawFrontend, { features = FEATURES }: Partial<Variant>): Promise<RawFrontend> {
    const translated = (features & ACCESS_PLATFORM) !== 0n
    if (translated) this.keep({ close: driver.answerMisses().stop })
    return driver.start(4, translated ? { user: GUEST } : {})
  }

  /** A driver with two running pairs. */
  async driver(variant: Partial<Variant> = {}, options: RawOptions = {}): Promise<RawFrontend> {
    return this.start(await this.connect({ ...negotiated(variant), ...options }), variant)
  }

  /** All drivers hang up. */
  leave(): void {
    for (const one of this.#open.splice(0).reverse()) one.close()
  }

  /** The longest echo on pair 1 while an attack on pair 0 goes on, and metrics meanwhile. */
  async meanwhile(driver: RawFrontend, ms = 400): Promise<void> {
    const longest = await longestEcho((mark) => driver.echo(1, mark), this.daemon, ms)
    const start = performance.now()
    expect(await this.daemon.metric('vring_connected')).toBe(1)
    console.log(`${echoText(longest)}; metrics ${(performance.now() - start).toFixed(0)} ms`)
  }

  /** The next driver is served, metrics are answered, and SIGTERM ends the daemon as it should. */
  async aftermath(): Promise<void> {
    this.leave()
    const next = await this.driver()
    await next.echo(0, 1)
    await next.echo(1, 2)
    expect(await this.daemon.metric('vring_connected')).toBe(1)
    expect(await this.daemon.end('SIGTERM')).toBe(0)
    expect(existsSync(this.socket)).toBe(false)
  }

  /** Ends all that the test has left. */
  async end(): Promise<void> {
    this.leave()
    this.#listener?.close()
    this.#listener = null
    const { child } = this.daemon
    if (child.exitCode === null && child.signalCode === null) await this.daemon.end('SIGKILL')
  }
}

/** What a driver of a variant asks for. */
export function negotiated({ features = FEATURES }: Partial<Variant>): RawOptions {
  return { features, protocol: PROTOCOL | ((features & ACCESS_PLATFORM) !== 0n ? BACKEND_REQ : 0n) }
}
