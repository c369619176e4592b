import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unshareNetwork, unsupportedHost } from '@vring/linux'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DaemonProcess } from './daemon-process.ts'
import { TestDriver } from './test-driver.ts'

const COUNTERS = fileURLToPath(new URL('../../../packages/xdp/fixtures/counters.v3.o', import.meta.url))
/** Runs what follows with a tracefs, or without one, whatever this system mounts there. */
const mounted = (type: string): string[] => [
  ...[
    'unshare',
    '-m',
    'sh',
    '-c',
    `umount -q /sys/kernel/tracing; mount -t ${type} nodev /sys/kernel/tracing; exec "$@"`,
  ],
  '--',
]
const instances = (): string =>
  spawnSync('unshare', [...mounted('tracefs').slice(1), 'ls', '/sys/kernel/tracing/instances'], { encoding: 'utf8' })
    .stdout

const reason =
  unsupportedHost() ??
  (process.getuid?.() === 0 ? null : 'needs root') ??
  (/\ttracefs$/m.test(readFileSync('/proc/filesystems', 'utf8')) ? null : 'this kernel has no tracefs')

describe.skipIf(reason !== null)(
  `what a program in the kernel prints${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    let folder: string
    const daemons: DaemonProcess[] = []
    beforeAll(() => {
      unshareNetwork()
      folder = mkdtempSync(join(tmpdir(), 'vring-trace-'))
    })
    afterAll(async () => {
      for (const one of daemons) if (one.child.exitCode === null) await one.end('SIGKILL')
      rmSync(folder, { recursive: true })
    })
    async function serve(name: string, filesystem: string, level: string): Promise<DaemonProcess> {
      const socket = ['--socket', join(folder, `${name}.sock`), '--backend', `tap:${name}`]
      const daemon = new DaemonProcess([...socket, '--xdp', `${COUNTERS}:count`, '--log-level', level], {
        from: 'built',
        by: mounted(filesystem),
      })
      daemons.push(daemon)
      await daemon.ready()
      return daemon
    }

    test('is in the log at level debug, by an instance of tracefs that goes with the daemon', async () => {
      const daemon = await serve('vtrace0', 'tracefs', 'debug')
      expect(instances()).toContain(`vring-serve-${daemon.child.pid}`)
      const driver = new TestDriver(join(folder, 'vtrace0.sock'))
      driver.send([new Uint8Array(60).fill(0xff)])
      await daemon.says(/debug: bpf_printk: short: 60\n/)
      driver.close()
      expect(await daemon.end('SIGTERM')).toBe(0)
      expect(instances()).not.toContain(`vring-serve-${daemon.child.pid}`)
    })

    test('is not read at other levels; without tracefs one line says how to have it', async () => {
      const quiet = await serve('vtrace1', 'tracefs', 'info')
      expect(instances()).not.toContain(`vring-serve-${quiet.child.pid}`)
      expect(await quiet.end('SIGTERM')).toBe(0)
      const without = await serve('vtrace2', 'tmpfs', 'debug')
      expect(without.output).toMatch(/bpf_printk .* is not logged: tracefs is not mounted; mount -t tracefs nodev/)
      expect(await without.end('SIGTERM')).toBe(0)
    })
  },
)
