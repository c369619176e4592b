import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unshareNetwork, unsupportedHost } from '@vring/linux'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'

const TESTPMD = ['/usr/bin/dpdk-testpmd', '/usr/local/bin/dpdk-testpmd'].find((path) => existsSync(path))
const isRoot = process.getuid?.() === 0
const reason =
  unsupportedHost() ??
  (isRoot ? null : 'needs root') ??
  (TESTPMD === undefined ? 'dpdk-testpmd (Debian package dpdk-dev) is missing' : null)
/** How long a driver may take to start and to send on a busy machine, ms. */
const LIMIT_MS = 45_000

/** DPDK's driver side, without huge pages. */
class Testpmd {
  readonly child: ChildProcess
  #output = ''

  constructor(socket: string, forward: string) {
    const vdev = `net_virtio_user0,mac=00:01:02:03:04:05,path=${socket},queues=1,queue_size=256`
    const eal = ['--lcores', '0@1,1@1', '--file-prefix', `serve${process.pid}`, '--no-pci', '--no-huge', '-m', '512']
    this.child = spawn(
      TESTPMD!,
      [...eal, '--vdev', vdev, '--', '-i', `--forward-mode=${forward}`, '--auto-start', '--total-num-mbufs=8192'],
      { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, RUNTIME_DIRECTORY: join(socket, '..') } },
    )
    this.child.stdout!.on('data', (text) => {
      this.#output += text
    })
    // It may be killed while it is written to.
    this.child.stdin!.on('error', () => {})
  }

  /**
   * Stops forwarding, waits until the device has taken what is in the ring, and quits. Returns the packets that it put
   * into the ring, by its own count, which it prints at its end.
   */
  async quit(ringIsEmpty: () => Promise<void>): Promise<number> {
    this.child.stdin!.write('stop\n')
    await ringIsEmpty()
    this.child.stdin!.write('quit\n')
    await once(this.child, 'exit')
    return Number(/Accumulated forward statistics[\s\S]*?TX-packets: (\d+)/.exec(this.#output)?.[1])
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGKILL')
    await once(this.child, 'exit')
  }
}

describe.skipIf(reason !== null)(`vring-serve with testpmd${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let socket: string
  let daemon: DaemonProcess
  let driver: Testpmd
  // Daemons and drivers that this process starts are in its namespace.
  beforeAll(() => {
    unshareNetwork()
    spawnSync('ip', ['link', 'set', 'lo', 'up'])
  })
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-serve-'))
    socket = join(folder, 'vring.sock')
  })
  afterEach(async () => {
    await driver.kill()
    if (daemon.child.exitCode === null) await daemon.end('SIGKILL')
    rmSync(folder, { recursive: true })
  })

  async function serve(...args: string[]): Promise<void> {
    daemon = new DaemonProcess(['--socket', socket, '--metrics', '127.0.0.1:0', ...args], { from: 'built' })
    await daemon.ready()
  }

  const sent = (): Promise<number> => daemon.metric('vring_packets_total{pair="0",direction="tx"}')
  const more = async (packets: number): Promise<void> => {
    const before = await sent()
    await until('packets', async () => (await sent()) > before + packets, LIMIT_MS)
  }
  /** No packet for a while: a driver that stopped has nothing in its ring. */
  const settled = async (): Promise<void> => {
    let last = -1
    await until(
      'the end of the packets',
      async () => {
        const now = await sent()
        const quiet = now === last
        last = now
        await new Promise((resolve) => setTimeout(resolve, 300))
        return quiet
      },
      LIMIT_MS,
    )
  }
  const hungUp = (): Promise<void> =>
    until('the end of the session', async () => (await daemon.metric('vring_connected')) === 0)

  test('counts what testpmd counts, after one that was killed in mid-burst', async () => {
    await serve('--backend', 'drop')
    driver = new Testpmd(socket, 'txonly')
    await more(10_000)
    await driver.kill()
    await hungUp()
    const before = await sent()
    driver = new Testpmd(socket, 'txonly')
    await more(10_000)
    const count = await driver.quit(settled)
    await hungUp()
    expect((await sent()) - before).toBe(count)
    expect(await daemon.metric('vring_sessions_total')).toBe(2)
    expect(await daemon.metric('process_resident_memory_bytes')).toBeLessThan(120 * 2 ** 20)
    expect(await daemon.end('SIGTERM')).toBe(0)
    expect(existsSync(socket)).toBe(false)
  })

  test('xdp1 in the kernel sees every frame that leaves through a TAP, and the TAP goes with the daemon', async () => {
    await serve('--backend', 'tap:vserve0', '--xdp', 'xdp1')
    await daemon.says(/xdp1 runs on vserve0 in native mode/)
    driver = new Testpmd(socket, 'txonly')
    await more(10_000)
    const count = await driver.quit(settled)
    await hungUp()
    expect(await sent()).toBe(count)
    // testpmd's packets are UDP.
    expect(await daemon.metric('vring_xdp_kernel_packets_total{counter="rxcnt[17]"}')).toBe(count)
    expect(spawnSync('ip', ['link', 'show', 'vserve0']).status).toBe(0)
    expect(await daemon.end('SIGTERM')).toBe(0)
    expect(spawnSync('ip', ['link', 'show', 'vserve0']).status).not.toBe(0)
  })
})
