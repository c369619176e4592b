import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess } from './daemon-process.ts'
import { NEED_REPLY, RawFrontend, REQUEST, words } from './raw-frontend.ts'
import { FLUSH, SilentFuse } from './silent-fuse.ts'

const reason =
  unsupportedHost() ??
  (process.getuid?.() === 0 ? null : 'needs root') ??
  (existsSync('/dev/fuse') ? null : 'the kernel has no FUSE')

const region = words(0, 0, BigInt(2 ** 33), 4096n, BigInt(2 ** 46), 0n)
const inflight = new Uint8Array([...words(4096n, 0n), 1, 0, 0, 1])

/** A file whose server answers nothing, in every message that takes a descriptor, and in some that take none. */
const ATTACKS: readonly (readonly [what: string, send: (driver: RawFrontend, fd: number) => void])[] = [
  ['memory', (driver, fd) => driver.send(REQUEST.ADD_MEM_REG, region, [fd], NEED_REPLY)],
  [
    'a memory table',
    (driver, fd) => driver.send(REQUEST.SET_MEM_TABLE, words(1, 0, 0n, 4096n, BigInt(2 ** 46), 0n), [fd]),
  ],
  ['the log', (driver, fd) => driver.send(REQUEST.SET_LOG_BASE, words(4096n, 0n), [fd])],
  ['requests in flight', (driver, fd) => driver.send(REQUEST.SET_INFLIGHT_FD, inflight, [fd])],
  ['a kick', (driver, fd) => driver.send(REQUEST.SET_VRING_KICK, words(0n), [fd])],
  ['a call', (driver, fd) => driver.send(REQUEST.SET_VRING_CALL, words(0n), [fd])],
  ['an error', (driver, fd) => driver.send(REQUEST.SET_VRING_ERR, words(0n), [fd])],
  ['the channel of the device', (driver, fd) => driver.send(REQUEST.SET_BACKEND_REQ_FD, undefined, [fd])],
  ['a state to load', (driver, fd) => driver.send(REQUEST.SET_DEVICE_STATE_FD, words(1, 0), [fd])],
  ['a request that takes none', (driver, fd) => driver.send(REQUEST.GET_FEATURES, undefined, [fd])],
  [
    'what is not worked off when it hangs up',
    (driver, fd) => {
      try {
        for (let i = 0; i < 5; i++) driver.send(REQUEST.GET_FEATURES, undefined, [fd, fd])
      } catch {
        // The first one has ended the session.
      }
      driver.socket.close()
    },
  ],
]

describe.skipIf(reason !== null)(
  `descriptors whose file system does not answer${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    let folder: string
    let daemon: DaemonProcess
    const open: { close(): void }[] = []
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'vring-fuse-'))
    })
    afterEach(async () => {
      for (const one of open.splice(0)) one.close()
      if (daemon.child.exitCode === null && daemon.child.signalCode === null) await daemon.end('SIGKILL')
      rmSync(folder, { recursive: true })
    })

    test('hold neither the next driver nor metrics nor the end, whatever message they come in', async () => {
      const socket = join(folder, 'vring.sock')
      const args = ['--socket', socket, '--backend', 'loopback', '--queues', '2', '--metrics', '127.0.0.1:0']
      daemon = new DaemonProcess(args, { from: 'built' })
      await daemon.ready()
      const fuse = await SilentFuse.mount(join(folder, 'fuse'))
      // From here on no process may be started: it would close its copy of the file, and wait.
      const file = await openFile(fuse.file, 'r+')
      open.push({
        close: () => {
          fuse.close()
          file.close().catch(() => {})
        },
      })
      fuse.silent = true
      for (const [what, send] of ATTACKS) {
        const driver = await RawFrontend.negotiate(socket)
        open.push(driver)
        await driver.start(4)
        send(driver, file.fd)
        // It is answered, or the session ends.
        if (!driver.socket.closed) await driver.ask(REQUEST.GET_FEATURES).catch(() => {})
        open.pop()!.close()
        expect(await daemon.metric('vring_queues_broken'), what).toBe(0)
      }
      const next = await RawFrontend.negotiate(socket)
      open.push(next)
      await next.start(4)
      await next.echo(0, 1)
      expect(await daemon.end('SIGTERM')).toBe(0)
      // That they were closed is all that it was asked.
      expect([...new Set(fuse.unanswered)]).toEqual([FLUSH])
    })
  },
)
