import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unshareNetwork, unsupportedHost } from '@vring/linux'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'
import { Testpmd, testpmdMissing } from './testpmd.ts'

const isRoot = process.getuid?.() === 0
const reason = unsupportedHost() ?? (isRoot ? null : 'needs root') ?? testpmdMissing
/** How long a driver may take to start and to send on a busy machine, ms. */
const LIMIT_MS = 45_000

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

  const sent = (pair = 0): Promise<number> => daemon.metric(`vring_packets_total{pair="${pair}",direction="tx"}`)
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
    driver = new Testpmd(socket, { forward: 'txonly' })
    await more(10_000)
    await driver.kill()
    await hungUp()
    const before = await sent()
    driver = new Testpmd(socket, { forward: 'txonly' })
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
    driver = new Testpmd(socket, { forward: 'txonly' })
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

  test('frames of two queue pairs leave through two queues of a TAP', async () => {
    await serve('--backend', 'tap:vserve1', '--xdp', 'xdp1', '--queues', '2')
    driver = new Testpmd(socket, { forward: 'txonly', queues: 2 })
    await more(10_000)
    const count = await driver.quit(settled)
    await hungUp()
    // testpmd fills its queues in turn, burst by burst; both go at about the same pace.
    const pairs = [await sent(0), await sent(1)] as const
    expect(Math.min(...pairs)).toBeGreaterThan(0.25 * count)
    expect(pairs[0] + pairs[1]).toBe(count)
    expect(await daemon.metric('vring_xdp_kernel_packets_total{counter="rxcnt[17]"}')).toBe(count)
  })

  // A covering set: each format with and without order and merging, sending alone and in a loop, one pair and two.
  test.each([
    ['packed_vq=1,in_order=0,mrg_rxbuf=1', 'txonly', 1],
    ['packed_vq=1,in_order=1,mrg_rxbuf=0', 'txonly', 2],
    ['packed_vq=0,in_order=1,mrg_rxbuf=1', 'txonly', 1],
    ['packed_vq=1,in_order=0,mrg_rxbuf=0', 'io', 1],
    ['packed_vq=1,in_order=1,mrg_rxbuf=1', 'io', 2],
    ['packed_vq=0,in_order=1,mrg_rxbuf=0', 'io', 1],
  ] as const)(
    'serves a ring with %s, %s, %i pairs, and a driver that comes after one that was killed',
    async (ring, forward, queues) => {
      await serve(
        '--accessor',
        'vmap-direct',
        '--backend',
        forward === 'io' ? 'loopback' : 'drop',
        '--queues',
        String(queues),
      )
      for (const killed of [true, false]) {
        driver = new Testpmd(socket, { forward, queues, ring })
        if (forward === 'io') driver.child.stdin!.write('stop\nset fwd io\nstart tx_first\n')
        await more(5_000)
        expect(await daemon.metric('vring_connected')).toBe(1)
        if (killed) {
          await driver.kill()
          await hungUp()
        }
      }
    },
  )
})
