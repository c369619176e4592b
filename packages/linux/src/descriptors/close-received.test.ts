import { spawnSync } from 'node:child_process'
import { mkdtempSync, openSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { closeReceived, createMemfd, EventFd, processResources, UnixSocket, unsupportedHost } from '../index.ts'
import { libc } from '../libc.ts'

const reason = unsupportedHost()
const [SOL_SOCKET, SO_LINGER] = [1, 13]
/** How long the sockets here would wait: longer than the test may take. */
const LINGER_S = 60
const LIMIT_MS = 50_000

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe.skipIf(reason !== null)(
  `a descriptor of another process${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    let folder: string
    let before: number
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'vring-close-'))
      before = processResources().openFds
    })
    afterEach(() => rmSync(folder, { recursive: true }))

    const kept: number[] = []
    const keep = (fd: number): number => {
      kept.push(fd)
      return fd
    }

    test('an eventfd, a pipe, memory and a connection of ours with such in its queue are closed when it returns', () => {
      spawnSync('mkfifo', [join(folder, 'pipe')])
      closeReceived(openSync(join(folder, 'pipe'), 'r+'))
      closeReceived(EventFd.create().fd)
      closeReceived(createMemfd('memory', 4096))
      const [one, other] = UnixSocket.pair()
      for (let i = 0; i < 20; i++) other.send(Uint8Array.of(1), [keep(EventFd.create().fd)])
      new UnixSocket(one.fd, { untrusted: true }).close()
      other.close()
      for (const fd of kept.splice(0)) closeReceived(fd)
      closeReceived(-1)
      expect(processResources().openFds).toBe(before)
    })

    test('a socket that its sender still uses goes on', async () => {
      const [one, other] = UnixSocket.pair()
      const [carrier, receiver] = UnixSocket.pair()
      carrier.send(Uint8Array.of(1), [one.fd])
      const received: number[] = []
      receiver.receive(new Uint8Array(1), received)
      closeReceived(received[0]!)
      other.send(Uint8Array.of(7), [])
      const bytes = new Uint8Array(1)
      expect([one.receive(bytes, []), bytes[0]]).toEqual([1, 7])
      for (const socket of [one, other, carrier, receiver]) socket.close()
      await until(() => processResources().openFds <= before + 1)
    })

    test('what is none of these is closed, now or soon: devices, directories, listening sockets', async () => {
      for (const path of ['/dev/zero', '/dev/null', folder]) closeReceived(openSync(path, 'r'))
      await until(() => processResources().openFds === before)
    })

    test('a TCP socket that waits for its peer to read is not waited for, in the queue of a socket either', {
      timeout: LIMIT_MS,
    }, async () => {
      const peers: Socket[] = []
      const server = createServer({ pauseOnConnect: true }, (peer) => peers.push(peer.on('error', () => {}))).listen(
        0,
        '127.0.0.1',
      )
      await new Promise((resolve) => server.once('listening', resolve))
      const { port } = server.address() as { port: number }
      const linger = new Uint8Array(8)
      new Int32Array(linger.buffer).set([1, LINGER_S])
      /** A connection that lingers, with more to send than its peer takes. */
      const lingering = (): number => {
        const c = libc()
        const fd = c.socket(2, 1, 0)
        const address = new DataView(new ArrayBuffer(16))
        address.setUint16(0, 2, true)
        address.setUint16(2, port)
        address.setUint32(4, 0x7f00_0001)
        expect(c.connect(fd, new Uint8Array(address.buffer), 16)).toBe(0)
        const bytes = new Uint8Array(65_536)
        while (c.sendto(fd, bytes, bytes.length, 0x40, null, 0) > 0);
        expect(c.setsockopt(fd, SOL_SOCKET, SO_LINGER, linger, 8)).toBe(0)
        return fd
      }
      closeReceived(lingering())
      const [mine, theirs] = UnixSocket.pair()
      const fd = lingering()
      theirs.send(Uint8Array.of(1), [fd])
      closeReceived(fd)
      new UnixSocket(mine.fd, { untrusted: true }).close()
      theirs.close()
      await until(() => peers.length === 2)
      for (const peer of peers) peer.destroy()
      server.close()
    })
  },
)
