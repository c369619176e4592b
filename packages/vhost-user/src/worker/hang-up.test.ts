import { featureSet } from '@vring/layout'
import { processResources, UnixSocket, unsupportedHost } from '@vring/linux'
import { describe, expect, test } from 'vitest'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import {
  BackendSession,
  encodeMessage,
  linuxHost,
  MESSAGES,
  PROTOCOL_F_BACKEND_REQ,
  u64,
  VhostUserFrontend,
  VhostUserWorker,
  vringFd,
} from '../index.ts'

const reason = unsupportedHost()
const MESSAGE_MS = 100

function connect(): { mine: UnixSocket; session: BackendSession; frontend: VhostUserFrontend } {
  const [mine, transport] = UnixSocket.pair()
  const device = new RecyclingDevice()
  const session = new BackendSession({ transport, device, host: linuxHost, messageMs: MESSAGE_MS })
  const frontend = new VhostUserFrontend({ transport: mine, wait: () => void session.poll() })
  frontend.negotiate(0n)
  const bits = u64.encode(featureSet(PROTOCOL_F_BACKEND_REQ))
  mine.send(encodeMessage(MESSAGES.SET_PROTOCOL_FEATURES.id, 0, bits))
  session.poll()
  return { mine, session, frontend }
}

/** Waits until so few descriptors are open: what is closed by another thread is closed after a moment. */
async function fewerThan(descriptors: number): Promise<void> {
  await expect.poll(() => processResources().openFds, { timeout: 10_000 }).toBeLessThan(descriptors)
}

/** A socket is open as long as one process holds a descriptor of it, the device as well. */
describe.skipIf(reason !== null)(
  `a frontend that gives its own end away${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    const half = encodeMessage(MESSAGES.SET_LOG_FD.id, 0, new Uint8Array(0)).subarray(0, 4)

    test('with half a message, and hangs up: the session ends all the same, and the sleeping worker with it', async () => {
      const before = processResources().openFds
      const { mine, session, frontend } = connect()
      mine.send(half, [mine.fd])
      frontend.close()
      const start = performance.now()
      const worker = new VhostUserWorker()
      worker.add(session, new RecyclingDevice())
      expect(worker.run()).toBe('closed')
      expect(performance.now() - start).toBeGreaterThanOrEqual(MESSAGE_MS - 1)
      expect(session.error?.message).toBe('message is in pieces; accepted: whole within 100 ms')
      // A socket of another process is closed by a thread of the kernel; the ring that asks for it is one descriptor.
      await fewerThan(before + 2)
    })

    test('as the socket to ask it on: it is known for what it is, and ends the session', async () => {
      const before = processResources().openFds
      const { mine, session, frontend } = connect()
      mine.send(encodeMessage(MESSAGES.SET_BACKEND_REQ_FD.id, 0, new Uint8Array(0)), [mine.fd])
      expect(session.poll()).toBe('closed')
      expect(session.error?.message).toBe('a descriptor that came is the other end of this connection')
      frontend.close()
      const other = connect()
      const [asked, answers] = UnixSocket.pair()
      other.mine.send(encodeMessage(MESSAGES.SET_BACKEND_REQ_FD.id, 0, new Uint8Array(0)), [asked.fd])
      expect(other.session.poll()).toBe('handled')
      other.frontend.close()
      expect(other.session.poll()).toBe('closed')
      expect(other.session.error).toBeNull()
      asked.close()
      answers.close()
      await fewerThan(before + 1)
    })

    test('as the call of a ring: it is known for what it is, too, and another socket is taken', () => {
      const { mine, session, frontend } = connect()
      const call = encodeMessage(MESSAGES.SET_VRING_CALL.id, 0, vringFd.encode({ index: 0, hasFd: true }))
      const [signalled, read] = UnixSocket.pair()
      mine.send(call, [signalled.fd])
      expect(session.poll()).toBe('handled')
      session.vrings[0]!.call!.signal()
      expect(read.receive(new Uint8Array(16), [])).toBe(8)
      for (let i = 0; i < 10_000; i++) session.vrings[0]!.call!.signal()
      mine.send(call, [mine.fd])
      expect(session.poll()).toBe('closed')
      frontend.close()
      signalled.close()
      read.close()
    })

    test('a message in pieces has its time from the first on, and the next one its own', async () => {
      const { mine, session, frontend } = connect()
      expect(session.patienceMs).toBe(-1)
      const whole = encodeMessage(MESSAGES.SET_OWNER.id, 0, new Uint8Array(0))
      for (let round = 0; round < 3; round++) {
        mine.send(whole.subarray(0, 5))
        expect(session.poll()).toBe('idle')
        expect(session.patienceMs).toBeGreaterThan(0)
        await new Promise((resolve) => setTimeout(resolve, MESSAGE_MS / 2))
        mine.send(whole.subarray(5))
        expect(session.poll()).toBe('handled')
        expect(session.patienceMs).toBe(-1)
      }
      frontend.close()
      expect(session.poll()).toBe('closed')
      expect(session.error).toBeNull()
    })
  },
)
