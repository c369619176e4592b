import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unshareNetwork, unsupportedHost } from '@vring/linux'
import { afterEach, beforeAll, beforeEach } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'
import { Testpmd, type TestpmdOptions, testpmdMissing } from './testpmd.ts'

/** Why the built daemon can't be served to testpmd here, or null. */
export const testpmdRigMissing: string | null =
  unsupportedHost() ?? (process.getuid?.() === 0 ? null : 'needs root') ?? testpmdMissing

/** How long a driver may take to start and to send on a busy machine, ms. */
const LIMIT_MS = 45_000

/** A built daemon and the testpmd that drives it, in a network namespace of this process's own. */
export class TestpmdRig {
  socket = ''
  daemon!: DaemonProcess
  driver: Testpmd | null = null
  /** Of the driver. */
  #pairs = 1
  #folder = ''

  /** In a `describe`: its hooks make and remove what each test uses. */
  constructor() {
    // Daemons and drivers that this process starts are in its namespace.
    beforeAll(() => {
      unshareNetwork()
      spawnSync('ip', ['link', 'set', 'lo', 'up'])
    })
    beforeEach(() => {
      this.#folder = mkdtempSync(join(tmpdir(), 'vring-testpmd-'))
      this.socket = join(this.#folder, 'vring.sock')
    })
    afterEach(async () => {
      await this.driver?.kill()
      if (this.daemon.child.exitCode === null) await this.daemon.end('SIGKILL')
      rmSync(this.#folder, { recursive: true })
    })
  }

  async serve(...args: string[]): Promise<void> {
    this.daemon = new DaemonProcess(['--socket', this.socket, '--metrics', '127.0.0.1:0', ...args], { from: 'built' })
    await this.daemon.ready()
  }

  drive(options: TestpmdOptions): Testpmd {
    this.#pairs = options.queues ?? 1
    this.driver = new Testpmd(this.socket, options)
    return this.driver
  }

  /** Frames go round between the driver and a loopback, which holds the first ones before the driver takes them. */
  async goRound(options: Omit<TestpmdOptions, 'forward'>): Promise<void> {
    const { child } = this.drive({ ...options, forward: 'txonly' })
    await this.more(64)
    child.stdin!.write('stop\nset fwd io\nstart tx_first\n')
  }

  sent(pair = 0): Promise<number> {
    return this.daemon.metric(`vring_packets_total{pair="${pair}",direction="tx"}`)
  }

  /** Waits until each pair of the driver has sent so many packets more. */
  async more(packets: number): Promise<void> {
    const all = (): Promise<number[]> => Promise.all(Array.from({ length: this.#pairs }, (_, pair) => this.sent(pair)))
    const before = await all()
    const went = async (): Promise<boolean> => (await all()).every((now, pair) => now > before[pair]! + packets)
    await until('packets of each pair', went, LIMIT_MS)
  }

  /** No packet for a while: a driver that stopped has nothing in its ring. */
  async settled(): Promise<void> {
    let last = -1
    const quiet = async (): Promise<boolean> => {
      const now = await this.sent()
      const same = now === last
      last = now
      await new Promise((resolve) => setTimeout(resolve, 300))
      return same
    }
    await until('the end of the packets', quiet, LIMIT_MS)
  }

  /** The driver stops, its ring runs empty, and it quits: the packets that it put into the ring. */
  quit(): Promise<number> {
    return this.driver!.quit(() => this.settled())
  }

  async killed(): Promise<void> {
    await this.driver!.kill()
    await this.hungUp()
  }

  hungUp(): Promise<void> {
    return until('the end of the session', async () => (await this.daemon.metric('vring_connected')) === 0)
  }
}
