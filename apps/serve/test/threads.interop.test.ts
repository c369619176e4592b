import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unshareNetwork, unsupportedHost } from '@vring/linux'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'
import { holdings } from './leftovers.ts'
import { Testpmd, testpmdMissing } from './testpmd.ts'

const isRoot = process.getuid?.() === 0
const reason = unsupportedHost() ?? (isRoot ? null : 'needs root') ?? testpmdMissing
/** How long a driver may take to start and to send on a busy machine, ms. */
const LIMIT_MS = 45_000

describe.skipIf(reason !== null)(`two pairs over two threads${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
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
    folder = mkdtempSync(join(tmpdir(), 'vring-threads-'))
    socket = join(folder, 'vring.sock')
  })
  afterEach(async () => {
    await driver.kill()
    if (daemon.child.exitCode === null) await daemon.end('SIGKILL')
    rmSync(folder, { recursive: true })
  })

  async function serve(...args: string[]): Promise<void> {
    const threads = ['--queues', '2', '--threads', '2', '--metrics', '127.0.0.1:0']
    daemon = new DaemonProcess(['--socket', socket, ...threads, ...args], { from: 'built' })
    await daemon.ready()
  }

  const sent = (pair: number): Promise<number> => daemon.metric(`vring_packets_total{pair="${pair}",direction="tx"}`)
  const more = async (packets: number): Promise<void> => {
    const before = [await sent(0), await sent(1)] as const
    await until(
      'packets of both pairs',
      async () => (await sent(0)) > before[0] + packets && (await sent(1)) > before[1] + packets,
      LIMIT_MS,
    )
  }
  const hungUp = (): Promise<void> =>
    until('the end of the session', async () => (await daemon.metric('vring_connected')) === 0)

  test('frames go round in both, after drivers that were killed in mid-burst, and nothing of those is left', async () => {
    await serve('--backend', 'loopback')
    const before = holdings(daemon.child.pid!)
    for (const ring of ['packed_vq=0', 'packed_vq=1,in_order=1']) {
      driver = new Testpmd(socket, { forward: 'txonly', queues: 2, ring })
      driver.child.stdin!.write('stop\nset fwd io\nstart tx_first\n')
      await more(5_000)
      await driver.kill()
      await hungUp()
      expect(holdings(daemon.child.pid!).sharedMappings).toBe(before.sharedMappings)
    }
    for (const thread of [0, 1])
      expect(await daemon.metric(`vring_round_seconds_count{thread="${thread}"}`)).toBeGreaterThan(0)
    expect(await daemon.metric('vring_sessions_total')).toBe(2)
    expect(await daemon.end('SIGTERM')).toBe(0)
  })

  test('frames of both leave through their queues of a TAP, and all are seen by its program', async () => {
    await serve('--backend', 'tap:vthread0', '--xdp', 'xdp1')
    for (const killed of [true, false]) {
      driver = new Testpmd(socket, { forward: 'txonly', queues: 2 })
      await more(5_000)
      if (killed) await driver.kill()
      else await driver.quit(() => new Promise((resolve) => setTimeout(resolve, 1000)))
      await hungUp()
    }
    const seen = await daemon.metric('vring_xdp_kernel_packets_total{counter="rxcnt[17]"}')
    expect((await sent(0)) + (await sent(1))).toBe(seen)
    expect(await daemon.end('SIGTERM')).toBe(0)
    expect(spawnSync('ip', ['link', 'show', 'vthread0']).status).not.toBe(0)
  })
})
