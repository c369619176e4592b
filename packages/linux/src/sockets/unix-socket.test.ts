import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EAGAIN } from '@vring/layout'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { closeFd } from '../descriptors/fd.ts'
import { EventFd } from '../events/eventfd.ts'
import { unsupportedHost } from '../libc.ts'
import { Mapping } from '../memory/mapping.ts'
import { createMemfd } from '../memory/memfd.ts'
import { processResources } from '../processes/process-resources.ts'
import { systemErrnoOf } from '../system-error.ts'
import { UnixListener, UnixSocket } from './unix-socket.ts'

const reason = unsupportedHost()

describe.skipIf(reason !== null)(`a unix socket${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-linux-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('carries bytes and descriptors; the descriptor shows the same memory', () => {
    const [one, other] = UnixSocket.pair()
    const fd = createMemfd('carried', 8192)
    const sent = Mapping.of(fd, { length: 8192 })
    one.send(Uint8Array.of(1, 2, 3), [fd])
    closeFd(fd)
    const fds: number[] = []
    const bytes = new Uint8Array(2)
    expect(other.receive(bytes, fds)).toBe(2)
    expect([...bytes]).toEqual([1, 2])
    expect(fds).toHaveLength(1)
    const received = Mapping.of(fds[0]!, { length: 8192 })
    new Uint32Array(sent.buffer)[2000] = 0xfeed
    expect(new Uint32Array(received.buffer)[2000]).toBe(0xfeed)
    expect(other.receive(bytes, fds)).toBe(1)
    expect(fds).toHaveLength(1)
    expect(other.receive(bytes, fds)).toBe(EAGAIN)
    one.close()
    expect(other.receive(bytes, fds)).toBe(0)
    other.close()
    closeFd(fds[0]!)
    sent.unmap()
    received.unmap()
  })

  test('sends more than the socket holds when the peer reads, and says ETIMEDOUT when it does not', () => {
    const [one, other] = UnixSocket.pair()
    const big = new Uint8Array(4_000_000)
    expect(() => one.send(big, [], 20)).toThrow('ETIMEDOUT')
    let got = 0
    const into = new Uint8Array(65_536)
    for (let count = other.receive(into, []); count > 0; count = other.receive(into, [])) got += count
    expect(got).toBeGreaterThan(65_536)
    other.close()
    expect(systemErrnoOf(caught(() => one.send(big)))).toBe('EPIPE')
    one.close()
    expect(() => one.send(big)).toThrow('closed')
  })

  test('listens, accepts without waiting, and replaces a path that a dead process left', () => {
    const path = join(folder, 'a.sock')
    const listener = UnixListener.listen(path)
    expect(listener.accept()).toBeNull()
    expect(systemErrnoOf(caught(() => UnixListener.listen(path)))).toBe('EADDRINUSE')
    listener.accept()?.close()
    const client = UnixSocket.connect(path)
    const server = listener.accept()!
    client.send(Uint8Array.of(7))
    const into = new Uint8Array(8)
    expect(server.receive(into, [])).toBe(1)
    // A process that dies closes its descriptor and leaves the path.
    closeFd(listener.fd)
    const again = UnixListener.listen(path)
    again.close()
    for (const socket of [client, server]) socket.close()
    expect(systemErrnoOf(caught(() => UnixSocket.connect(path)))).toBe('ENOENT')
  })

  test('removes the socket that it bound, and not what another process has put there since', () => {
    const path = join(folder, 'moved.sock')
    const first = UnixListener.listen(path)
    renameSync(path, join(folder, 'old.sock'))
    const second = UnixListener.listen(path)
    first.close()
    UnixSocket.connect(path).close()
    second.close()
    expect(existsSync(path)).toBe(false)
    second.close()
  })

  test('closes also where its folder lets it look no longer, as after a change of user', () => {
    const inner = join(folder, 'inner')
    mkdirSync(inner)
    const listener = UnixListener.listen(join(inner, 'a.sock'))
    renameSync(inner, join(folder, 'away'))
    // A link to itself: ELOOP, for root as well, whom no permission stops.
    symlinkSync(inner, inner)
    listener.close()
    expect(() => listener.accept()).toThrow('the listener is closed')
  })

  test('leaves the path to a listener that is too busy to answer', () => {
    const path = join(folder, 'busy.sock')
    const listener = UnixListener.listen(path)
    const waiting: UnixSocket[] = []
    // As many connections as its queue holds, and none is accepted.
    const connect = (): unknown => {
      try {
        waiting.push(UnixSocket.connect(path))
        return null
      } catch (error) {
        return systemErrnoOf(error)
      }
    }
    let errno: unknown = null
    while (errno === null && waiting.length < 64) errno = connect()
    expect(errno).toBe('EAGAIN')
    expect(() => UnixListener.listen(path)).toThrow('EADDRINUSE')
    expect(existsSync(path)).toBe(true)
    for (const socket of waiting) socket.close()
    listener.close()
  })

  test('refuses a path that does not fit into sun_path', () => {
    expect(() => UnixListener.listen('x'.repeat(108))).toThrow(/x \(108 bytes\); accepted: 1 to 107 bytes/)
    expect(() => UnixSocket.connect('')).toThrow('1 to 107 bytes')
  })

  test('leaves nothing open', async () => {
    const before = processResources()
    for (let i = 0; i < 20; i++) {
      const [one, other] = UnixSocket.pair()
      const event = EventFd.create()
      one.send(Uint8Array.of(1), [event.fd, event.fd])
      const fds: number[] = []
      other.receive(new Uint8Array(1), fds)
      expect(fds).toHaveLength(2)
      for (const fd of fds) closeFd(fd)
      event.close()
      one.close()
      other.close()
    }
    await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before.openFds), 10_000)
  })
})

function caught(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
