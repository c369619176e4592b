import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventFd, systemError, UnixListener, UnixSocket, unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { signalLater } from '../../test/eventfds.ts'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import { encodeMessage } from '../messages/header.ts'
import { MESSAGES } from '../messages/messages.ts'
import { VhostUserEndpoint } from './endpoint.ts'
import { serveVhostUser } from './serve-vhost-user.ts'

const reason = unsupportedHost()

describe.skipIf(reason !== null)(`over real sockets${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-vhost-user-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('a server serves one frontend after the other on one path, also after one that talks nonsense', () => {
    const path = join(folder, 'server.sock')
    const ends: (string | null)[] = []
    const sessions: UnixSocket[] = []
    // The one that talks nonsense is still there to be told; of one that has hung up nothing is read.
    const connect = (bytes: Uint8Array): void => {
      const socket = UnixSocket.connect(path)
      socket.send(bytes)
      if (bytes === good) socket.close()
      sessions.push(socket)
    }
    const good = encodeMessage(MESSAGES.SET_OWNER.id, 0, new Uint8Array(0))
    let asked = 0
    serveVhostUser({
      path,
      role: 'server',
      device: new RecyclingDevice(),
      shouldStop: () => {
        if (asked++ === 0) for (const bytes of [good, new Uint8Array(12), good]) connect(bytes)
        return ends.length === 3
      },
      onClose: (session) => ends.push(session.error?.field ?? null),
    })
    expect(ends).toEqual([null, 'version', null])
    for (const socket of sessions) socket.close()
    expect(() => UnixSocket.connect(path)).toThrow('ENOENT')
  })

  test('a client tries until the frontend listens, and again after it hung up, not more often than retryMs', () => {
    const path = join(folder, 'client.sock')
    let listener: UnixListener | null = null
    let asked = 0
    const endpoint = new VhostUserEndpoint({ path, role: 'client', retryMs: 5 })
    const shouldStop = (): boolean => {
      if (++asked === 3) listener = UnixListener.listen(path)
      return false
    }
    const start = performance.now()
    const first = endpoint.next({ shouldStop })!
    expect(performance.now() - start).toBeGreaterThanOrEqual(9)
    listener!.accept()!.close()
    expect(first.receive(new Uint8Array(1), [])).toBe(0)
    first.close()
    const second = endpoint.next({ shouldStop })!
    expect(asked).toBeGreaterThanOrEqual(4)
    second.close()
    listener!.close()
    endpoint.close()
  })

  test('waiting for a frontend ends when another thread says so', async () => {
    const wake = EventFd.create()
    const endpoint = new VhostUserEndpoint({ path: join(folder, 'wake.sock'), role: 'server' })
    const child = signalLater(wake, 0.05)
    const exited = new Promise((resolve) => child.on('exit', resolve))
    expect(endpoint.next({ wakeFd: wake.fd, shouldStop: () => wake.drain() })).toBeNull()
    await exited
    endpoint.close()
    wake.close()
  })

  test('a server that runs out of descriptors waits and accepts when there are some again', () => {
    const path = join(folder, 'full.sock')
    const endpoint = new VhostUserEndpoint({ path, role: 'server', retryMs: 20 })
    const accept = vi.spyOn(UnixListener.prototype, 'accept').mockImplementationOnce(() => {
      throw systemError('accept4', 24, path)
    })
    const client = UnixSocket.connect(path)
    const start = performance.now()
    endpoint.next()!.close()
    expect(performance.now() - start).toBeGreaterThanOrEqual(19)
    expect(accept).toHaveBeenCalledTimes(2)
    accept.mockImplementationOnce(() => {
      throw systemError('accept4', 22, path)
    })
    expect(() => endpoint.next()).toThrow('EINVAL')
    accept.mockRestore()
    client.close()
    endpoint.close()
  })
})
