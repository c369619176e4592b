import { existsSync } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HostileRig, hostileRigMissing } from './hostile-rig.ts'
import { NEED_REPLY, type RawFrontend, REQUEST, words } from './raw-frontend.ts'
import { FLUSH, SilentFuse } from './silent-fuse.ts'

const reason = hostileRigMissing ?? (existsSync('/dev/fuse') ? null : 'the kernel has no FUSE')

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
    const rig = new HostileRig()

    test('hold neither the next driver nor metrics nor the end, whatever message they come in', async () => {
      const daemon = await rig.serve()
      const fuse = await SilentFuse.mount(join(rig.folder, 'fuse'))
      // From here on no process may be started: it would close its copy of the file, and wait.
      const file = await openFile(fuse.file, 'r+')
      try {
        fuse.silent = true
        for (const [what, send] of ATTACKS) {
          const driver = await rig.driver()
          send(driver, file.fd)
          // It is answered, or the session ends.
          if (!driver.socket.closed) await driver.ask(REQUEST.GET_FEATURES).catch(() => {})
          rig.leave()
          expect(await daemon.metric('vring_queues_broken'), what).toBe(0)
        }
        const next = await rig.driver()
        await next.echo(0, 1)
        expect(await daemon.end('SIGTERM')).toBe(0)
        // That they were closed is all that it was asked.
        expect([...new Set(fuse.unanswered)]).toEqual([FLUSH])
      } finally {
        fuse.close()
        file.close().catch(() => {})
      }
    })
  },
)
