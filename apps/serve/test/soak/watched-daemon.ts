import { existsSync, readFileSync } from 'node:fs'
import { DaemonProcess, type DaemonProcessOptions, until } from '../daemon-process.ts'
import { holdings } from '../leftovers.ts'

/** Bytes that a daemon's memory may grow by: heaps of JavaScript breathe. */
const GROWTH_BYTES = 96 * 2 ** 20
/** Ends with this process, however that ends. */
export const DIES_WITH_PARENT: readonly string[] = ['setpriv', '--pdeathsig', 'KILL']

/** Of /proc/net/tcp. Source: Linux include/net/tcp_states.h. */
const ESTABLISHED = '01'

interface Held {
  readonly fds: number
  readonly sharedMappings: number
  readonly residentBytes: number
}

/** A daemon whose descriptors and memory are looked at without a driver: at first, and at the end. */
export class WatchedDaemon {
  readonly socket: string
  readonly process: DaemonProcess
  readonly #name: string
  #first: Held | null = null
  #last: Held | null = null

  private constructor(name: string, socket: string, args: readonly string[], options: DaemonProcessOptions) {
    this.#name = name
    this.socket = socket
    const all = ['--socket', socket, '--metrics', '127.0.0.1:0', ...args]
    this.process = new DaemonProcess(all, { from: 'built', by: DIES_WITH_PARENT, ...options })
  }

  static async start(
    name: string,
    socket: string,
    args: readonly string[],
    options: DaemonProcessOptions = {},
  ): Promise<WatchedDaemon> {
    const daemon = new WatchedDaemon(name, socket, args, options)
    await daemon.process.ready()
    return daemon
  }

  /**
   * Waits until no driver is connected, and looks at what it holds. The first look is what the last one is compared
   * with.
   */
  async look(): Promise<void> {
    await until(`${this.#name}: the end of the session`, async () => (await this.metric('vring_connected')) === 0)
    // Connections of the metrics, which are asked for all the time, go by themselves.
    await until(`${this.#name}: the end of connections`, () => this.#connections() === 0)
    const pid = this.process.child.pid!
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
    this.#last = { ...holdings(pid), residentBytes: Number(kib) * 1024 }
    this.#first ??= this.#last
  }

  /** TCP connections that the daemon has: established, on its side of the loopback interface. */
  #connections(): number {
    const [, port] = /metrics on http:\/\/127\.0\.0\.1:(\d+)\//.exec(this.process.output)!
    const local = `0100007F:${Number(port).toString(16).toUpperCase().padStart(4, '0')}`
    const lines = readFileSync('/proc/thread-self/net/tcp', 'utf8').split('\n')
    return lines.filter((line) => {
      const [, from, , state] = line.trim().split(/\s+/)
      return from === local && state === ESTABLISHED
    }).length
  }

  /**
   * One metric. Asked again where the connection went, as one that was kept may when the daemon closes it at that
   * moment.
   */
  async metric(name: string): Promise<number> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.process.metric(name)
      } catch (error) {
        if (tries === 2 || this.process.child.exitCode !== null) throw error
      }
    }
  }

  /** Looks again and ends it; what is not as it was. */
  async end(): Promise<string[]> {
    const wrong: string[] = []
    await this.look()
    const [first, last] = [this.#first!, this.#last!]
    if (last.fds !== first.fds) wrong.push(`${first.fds} descriptors at first, ${last.fds} at the end`)
    if (last.sharedMappings !== 0) wrong.push(`${last.sharedMappings} mappings of drivers are left`)
    if (last.residentBytes > first.residentBytes + GROWTH_BYTES)
      wrong.push(`${mib(first.residentBytes)} MiB of memory at first, ${mib(last.residentBytes)} at the end`)
    const code = await this.process.end('SIGTERM')
    if (code !== 0) wrong.push(`exit code ${code} after SIGTERM`)
    if (existsSync(this.socket)) wrong.push('its socket is left')
    return wrong.map((line) => `${this.#name}: ${line}`)
  }

  /** For people: what it held. */
  toString(): string {
    if (this.#first === null || this.#last === null) return `${this.#name}: not looked at`
    const { fds, residentBytes } = this.#last
    return (
      `${this.#name}: ${this.#first.fds} descriptors at first, ${fds} at the end; ` +
      `${mib(this.#first.residentBytes)} MiB at first, ${mib(residentBytes)} at the end`
    )
  }

  kill(): void {
    this.process.child.kill('SIGKILL')
  }
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}
