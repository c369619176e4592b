import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { BenchError, missingError } from '../bench-error.ts'
import { EXIT_INTERNAL } from '../exit-codes.ts'

/** Memory of one testpmd in MiB: with huge pages, and without, where its pool is larger. */
export const TESTPMD_HUGE_MIB = 256
const TESTPMD_PLAIN_MIB = 512

/**
 * Where dpdk-testpmd is.
 *
 * @throws BenchError with exit code 4 that names the package
 */
export function findTestpmd(): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin']
  const found = folders.map((folder) => join(folder, 'dpdk-testpmd')).find((path) => existsSync(path))
  if (found === undefined)
    throw missingError('dpdk-testpmd', 'install the Debian package dpdk-dev (apt-get install dpdk-dev)')
  return found
}

export interface TestpmdOptions {
  readonly binary: string
  /** `driver`: virtio_user, transmits only. `backend`: net_vhost, receives only. */
  readonly role: 'driver' | 'backend'
  /** vhost-user socket; the backend makes it, the driver connects to it. */
  readonly socket: string
  /** CPU that it polls on. */
  readonly cpu: number
  readonly queueSize: number
  readonly frameBytes: number
  readonly hugePages: boolean
}

/** Arguments of one testpmd. Source: DPDK 22.11 testpmd user guide, virtio_user and vhost driver guides. */
export function testpmdArguments(options: TestpmdOptions): string[] {
  const { role, socket, cpu, queueSize, frameBytes, hugePages } = options
  const vdev =
    role === 'driver'
      ? `net_virtio_user0,mac=00:01:02:03:04:05,path=${socket},queues=1,queue_size=${queueSize}`
      : `net_vhost0,iface=${socket},queues=1`
  const memory = hugePages
    ? ['--in-memory', '--single-file-segments', '-m', String(TESTPMD_HUGE_MIB)]
    : ['--no-huge', '-m', String(TESTPMD_PLAIN_MIB)]
  const forward = role === 'driver' ? ['--forward-mode=txonly', `--txpkts=${frameBytes}`] : ['--forward-mode=rxonly']
  return [
    '-v',
    '--lcores',
    `0@${cpu},1@${cpu}`,
    '--file-prefix',
    `vring-${role}-${process.pid}`,
    '--no-pci',
    ...memory,
    '--vdev',
    vdev,
    '--',
    '-i',
    '--auto-start',
    '--total-num-mbufs=8192',
    ...forward,
  ]
}

/** Counters of `show port stats all`, of the first port. */
export interface PortStats {
  readonly rxPackets: number
  readonly txPackets: number
}

/** The last complete statistics block in testpmd's output, or null. */
export function parsePortStats(output: string): PortStats | null {
  const blocks = [...output.matchAll(/RX-packets: (\d+)[\s\S]*?TX-packets: (\d+)/g)]
  const last = blocks.at(-1)
  return last === undefined ? null : { rxPackets: Number(last[1]), txPackets: Number(last[2]) }
}

/** `22.11.5` of EAL's greeting, or `unknown`. */
export function parseDpdkVersion(output: string): string {
  return /RTE Version: 'DPDK ([^']+)'/.exec(output)?.[1] ?? 'unknown'
}

/** A running testpmd: commands in, text out. Ends when {@link stop} says so, or with this process. */
export class TestpmdProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #role: string
  #output = ''
  #exited: string | null = null

  constructor(options: TestpmdOptions) {
    this.#role = options.role
    // Its statistics go through stdio, which holds them back in a pipe: stdbuf (coreutils) makes it write lines.
    this.#child = spawn('stdbuf', ['-oL', options.binary, ...testpmdArguments(options)], {
      // It stops at the end of its input, so it also stops when this process dies.
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, RUNTIME_DIRECTORY: dirname(options.socket) },
      // Ctrl-C is this process's affair.
      detached: true,
    })
    const keep = (text: Buffer): void => {
      this.#output = (this.#output + text.toString()).slice(-64 * 1024)
    }
    this.#child.stdout.on('data', keep)
    this.#child.stderr.on('data', keep)
    this.#child.stdin.on('error', () => {})
    this.#child.once('error', (error) => {
      this.#exited = error.message
    })
    this.#child.once('exit', (code, signal) => {
      this.#exited = signal ?? `exit code ${code}`
    })
  }

  get version(): string {
    return parseDpdkVersion(this.#output)
  }

  /** Has it gone? */
  get exited(): string | null {
    return this.#exited
  }

  /** Types a command at its prompt. */
  command(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** Asks for port statistics and waits for the answer. */
  async portStats(): Promise<PortStats> {
    this.#output = ''
    this.command('show port stats all')
    await this.until('statistics', 5000, () => /Tx-bps[\s\S]*#{20,}/.test(this.#output))
    const stats = parsePortStats(this.#output)
    if (stats === null) throw this.#failure('its statistics are not of the form that is known')
    return stats
  }

  /**
   * Waits for a condition while it runs.
   *
   * @throws BenchError when it ends, or when the time is over
   */
  async until(what: string, limitMs: number, condition: () => boolean): Promise<void> {
    const end = performance.now() + limitMs
    while (!condition()) {
      if (this.#exited !== null) throw this.#failure(`ended (${this.#exited})`)
      if (performance.now() > end) throw this.#failure(`no ${what} within ${limitMs / 1000} s`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Ends it. */
  async stop(): Promise<void> {
    if (this.#exited !== null) return
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.kill('SIGKILL')
    await gone
  }

  #failure(problem: string): BenchError {
    const words = this.#output.trim().split('\n').at(-1) ?? ''
    return new BenchError(
      EXIT_INTERNAL,
      `testpmd (${this.#role}): ${problem}${words === '' ? '' : `; it said: ${words}`}`,
    )
  }
}
