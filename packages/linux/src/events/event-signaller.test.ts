import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { duplicateFd } from '../descriptors/fd.ts'
import { libc, unsupportedHost } from '../libc.ts'
import { processResources } from '../processes/process-resources.ts'
import { EventSignaller } from './event-signaller.ts'
import { EventFd } from './eventfd.ts'
import { PollSet } from './poll.ts'

/** Why this host has no asynchronous I/O, or null. */
function missing(): string | null {
  const unsupported = unsupportedHost()
  if (unsupported !== null) return unsupported
  const signaller = EventSignaller.acquire()
  signaller?.release()
  return signaller === null ? 'io_setup is refused' : null
}

const reason = missing()

function count(event: EventFd): bigint {
  const bytes = new Uint8Array(new ArrayBuffer(8))
  return libc().read(event.fd, bytes, 8) === 8 ? new DataView(bytes.buffer).getBigUint64(0, true) : 0n
}

function shared(): { own: EventFd; event: EventFd } {
  const own = EventFd.create()
  return { own, event: new EventFd(duplicateFd(own.fd), { shared: true }) }
}

describe.skipIf(reason !== null)(`a shared eventfd${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('counts every signal, also more of them than the kernel keeps results', () => {
    const { own, event } = shared()
    expect(event.neverWaits).toBe(true)
    for (let i = 0; i < 1000; i++) event.signal()
    expect(count(own)).toBe(1000n)
    for (const one of [own, event]) one.close()
  })

  test('wakes who waits for it', () => {
    const { own, event } = shared()
    const poll = new PollSet()
    poll.watch([own.fd])
    expect(poll.wait(0)).toBe(0)
    event.signal()
    expect(poll.wait(0)).toBe(1)
    expect(own.drain()).toBe(true)
    for (const one of [own, event]) one.close()
  })

  test('stays at its maximum', () => {
    const { own, event } = shared()
    const full = new Uint8Array(new ArrayBuffer(8)).fill(0xff)
    full[0] = 0xfe
    expect(libc().write(own.fd, full, 8)).toBe(8)
    for (let i = 0; i < 3; i++) event.signal()
    expect(count(own)).toBe(2n ** 64n - 1n)
    event.signal()
    expect(count(own)).toBe(1n)
    for (const one of [own, event]) one.close()
  })

  test('a request that the kernel refuses adds nothing, and the next one is taken', () => {
    const own = EventFd.create()
    const signaller = EventSignaller.acquire()!
    expect(signaller.signal(0x7fff_ffff)).toBe(false)
    expect(signaller.signal(own.fd)).toBe(true)
    expect(count(own)).toBe(1n)
    signaller.release()
    own.close()
  })

  test('leaves no descriptor open, and the next one starts again', async () => {
    const before = processResources().openFds
    for (let i = 0; i < 4; i++) {
      const [one, other] = [shared(), shared()]
      one.event.signal()
      other.event.signal()
      for (const event of [one.own, one.event, other.event]) event.close()
      other.own.signal()
      expect(count(other.own)).toBe(2n)
      other.own.close()
    }
    await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before), 10_000)
  })

  // In a process of its own, which can be killed when it hangs.
  test('a signal returns while a hostile thread keeps the eventfd full and blocking', { timeout: 60_000 }, () => {
    const script = fileURLToPath(new URL('../../test/hostile-eventfd.ts', import.meta.url))
    const run = (kind: string, timeout: number): number | string | null => {
      const flags = ['--import', 'tsx', '--conditions=@vring/source']
      const { status, signal } = spawnSync(process.execPath, [...flags, script, kind], { timeout, stdio: 'inherit' })
      return status ?? signal
    }
    expect(run('shared', 45_000)).toBe(0)
    // What the script does hangs a signal that goes by write(2).
    expect(run('plain', 4000)).toBe('SIGTERM')
  })
})
