import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { dirname } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { BenchError, missingError } from '../bench-error.ts'
import { EXIT_INTERNAL } from '../exit-codes.ts'
import { findProgram } from '../system/privileges.ts'

/** Memory of one testpmd in MiB: with huge pages, and without, where its pool is larger. */
export const TESTPMD_HUGE_MIB = 256
const TESTPMD_PLAIN_MIB = 512

/**
 * Where dpdk-testpmd is.
 *
 * @throws BenchError with exit code 4 that names the package
 */
export function findTestpmd(): string {
  const found = findProgram('dpdk-testpmd')
  if (found === null)
    throw missingError('dpdk-testpmd', 'install the Debian package dpdk-dev (apt-get install dpdk-dev)')
  return found
}

/** What becomes of frames, see {@link TestpmdOptions.forward}. */
export type PeerForward = 'drop' | 'loopback' | 'tap' | 'af-xdp' | 'nowhere'

/**
 * Bursts of 32 frames that circulate between two testpmd that give back what they receive: half of a ring of 256, so that
 * no burst finds it full and is dropped.
 */
export const LOOPBACK_BURSTS = 4

export interface TestpmdOptions {
  readonly binary: string
  /** `driver`: virtio_user. `backend`: net_vhost. */
  readonly role: 'driver' | 'backend'
  /**
   * What becomes of frames. `drop`: the driver sends, the backend counts. `loopback`: both give back what they receive,
   * and the driver sends the first ones. `tap`, `af-xdp`: the backend forwards to an interface. `nowhere`: a driver without a
   * device, which keeps its CPU busy.
   */
  readonly forward: PeerForward
  /** Name of that interface: net_tap makes it, net_af_xdp finds it. */
  readonly interface?: string
  /** vhost-user socket; the backend makes it, the driver connects to it. */
  readonly socket: string
  /** CPU that it polls on. */
  readonly cpu: number
  readonly queueSize: number
  readonly frameBytes: number
  readonly hugePages: boolean
}

/**
 * Arguments of one testpmd. Source: DPDK 22.11 testpmd user guide; virtio_user, vhost, tap and af_xdp driver guides.
 */
export function testpmdArguments(options: TestpmdOptions): string[] {
  const { role, cpu, hugePages } = options
  const memory = hugePages
    ? ['--in-memory', '--single-file-segments', '-m', String(TESTPMD_HUGE_MIB)]
    : ['--no-huge', '-m', String(TESTPMD_PLAIN_MIB)]
  return [
    '-v',
    '--lcores',
    `0@${cpu},1@${cpu}`,
    '--file-prefix',
    `vring-${role}-${process.pid}`,
    '--no-pci',
    ...memory,
    ...devices(options).flatMap((device) => ['--vdev', device]),
    '--',
    '-i',
    '--total-num-mbufs=8192',
    ...forwarding(options),
  ]
}

/** Its ports: towards the other side, and the one behind it. */
function devices({ role, socket, queueSize, forward, interface: name }: TestpmdOptions): string[] {
  if (forward === 'nowhere') return ['net_null0']
  if (role === 'driver')
    return [`net_virtio_user0,mac=00:01:02:03:04:05,path=${socket},queues=1,queue_size=${queueSize}`]
  const vhost = `net_vhost0,iface=${socket},queues=1`
  if (forward === 'tap') return [vhost, `net_tap0,iface=${name}`]
  if (forward === 'af-xdp') return [vhost, `net_af_xdp0,iface=${name},start_queue=0,queue_count=1,force_copy=1`]
  return [vhost]
}

/** A driver that gives frames back is started by a command, with the first frames: see {@link startsByCommand}. */
function forwarding({ role, forward, frameBytes }: TestpmdOptions): string[] {
  if (role === 'backend') return ['--auto-start', `--forward-mode=${forward === 'drop' ? 'rxonly' : 'io'}`]
  const frames = `--txpkts=${frameBytes}`
  return forward === 'loopback' ? ['--forward-mode=io', frames] : ['--auto-start', '--forward-mode=txonly', frames]
}

function startsByCommand({ role, forward }: TestpmdOptions): boolean {
  return role === 'driver' && forward === 'loopback'
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
    // At the end of its input it takes a second to put its devices away, and ends only then.
    const kill = (): void => void this.#child.kill('SIGKILL')
    process.once('exit', kill)
    this.#child.once('exit', (code, signal) => {
      process.off('exit', kill)
      this.#exited = signal ?? `exit code ${code}`
    })
    // It waits in the pipe until testpmd reads it.
    if (startsByCommand(options)) this.command(`start tx_first ${LOOPBACK_BURSTS}`)
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
