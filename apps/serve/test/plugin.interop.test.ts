import { spawnSync } from 'node:child_process'
import { lstatSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { interfaceIndex, linkInfo, unshareNetwork, unsupportedHost } from '@vring/linux'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'
import { installPluginPackage } from './plugin-package.ts'
import { Testpmd, testpmdMissing } from './testpmd.ts'

const isRoot = process.getuid?.() === 0
const reason = unsupportedHost() ?? (isRoot ? null : 'needs root') ?? testpmdMissing
/** How long a driver may take to start and to send on a busy machine, ms. */
const LIMIT_MS = 45_000
const SENT = 'vring_packets_total{pair="0",direction="tx"}'

describe.skipIf(reason !== null)(
  `an accessor that vring-serve was not built with${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    let folder: string
    let consumer: string
    let daemon: DaemonProcess | undefined
    let driver: Testpmd | undefined
    beforeAll(() => {
      unshareNetwork()
      spawnSync('ip', ['link', 'set', 'lo', 'up'])
      folder = mkdtempSync(join(tmpdir(), 'vring-plugin-'))
      consumer = installPluginPackage(folder)
    }, 60_000)
    afterEach(async () => {
      await driver?.kill()
      if (daemon !== undefined && daemon.child.exitCode === null) await daemon.end('SIGKILL')
    })
    afterAll(() => rmSync(folder, { recursive: true }))

    test('carries testpmd’s frames from its ring to a TAP, each of them once, and is named by the metrics', async () => {
      const installed = join(consumer, 'node_modules/outside-walk')
      expect(lstatSync(installed).isSymbolicLink()).toBe(false)
      const socket = join(folder, 'vring.sock')
      const chosen = ['--plugin', 'outside-walk', '--accessor', 'outside-walk', '--backend', 'tap:vplug0']
      const started = new DaemonProcess(['--socket', socket, '--metrics', '127.0.0.1:0', ...chosen], {
        from: 'built',
        cwd: consumer,
      })
      daemon = started
      await started.ready()
      expect(started.output).toContain('accessor outside-walk')
      driver = new Testpmd(socket, { forward: 'txonly' })
      const sent = (): Promise<number> => started.metric(SENT)
      await until('packets', async () => (await sent()) > 10_000, LIMIT_MS)
      let last = -1
      const count = await driver.quit(() =>
        until(
          'the end of the packets',
          async () => {
            const before = last
            last = await sent()
            await new Promise((resolve) => setTimeout(resolve, 300))
            return last === before
          },
          LIMIT_MS,
        ),
      )
      await until('the end of the session', async () => (await started.metric('vring_connected')) === 0)
      expect(count).toBeGreaterThan(10_000)
      expect(await sent()).toBe(count)
      expect(linkInfo(interfaceIndex('vplug0')).stats.rxPackets).toBe(count)
      expect(await started.page('metrics')).toMatch(
        /^vring_info\{accessor="outside-walk",backend="tap:vplug0",.*\} 1$/m,
      )
      // It counts every access as a copy: at least one of each descriptor, and none in another way.
      expect(await started.metric('vring_ring_accesses_total{area="desc",mode="copy"}')).toBeGreaterThanOrEqual(count)
      expect(await started.metric('vring_ring_accesses_total{area="desc",mode="direct"}')).toBeNaN()
      expect(await started.metric('vring_broken_queues_total')).toBeNaN()
      expect(await started.end('SIGTERM')).toBe(0)
    })
  },
)
