import { processResources, UnixSocket, unsupportedHost } from '@vring/linux'
import { describe, expect, test } from 'vitest'
import { RecyclingDevice } from '../test/recycling-device.ts'
import {
  BackendChannel,
  BackendSession,
  encodeMessage,
  linuxHost,
  MESSAGES,
  VhostUserFrontend,
  VhostUserWorker,
} from './index.ts'

const reason = unsupportedHost()
const MESSAGE_MS = 100

function connect(): { mine: UnixSocket; session: BackendSession; frontend: VhostUserFrontend } {
  const [mine, transport] = UnixSocket.pair()
  const device = new RecyclingDevice()
  const session = new BackendSession({ transport, device, host: linuxHost, messageMs: MESSAGE_MS })
  const frontend = new VhostUserFrontend({ transport: mine, wait: () => void session.poll() })
  frontend.negotiate(0n)
  return { mine, session, frontend }
}

/** A socket is open as long as anybody holds a descriptor of it, the device as well. */
describe.skipIf(reason !== null)(
  `a frontend that gives its own end away${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    const half = encodeMessage(MESSAGES.SET_LOG_FD.id, 0, new Uint8Array(0)).subarray(0, 4)

    test('with half a message, and hangs up: the session ends all the same, and the sleeping worker with it', () => {
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
      expect(processResources().openFds).toBe(before)
    })

    test('as the socket to ask it on: nothing is asked, so none is taken', () => {
      const before = processResources().openFds
      const { mine, session, frontend } = connect()
      mine.send(encodeMessage(MESSAGES.SET_BACKEND_REQ_FD.id, 0, new Uint8Array(0)), [mine.fd])
      frontend.close()
      expect(session.poll()).toBe('closed')
      expect(session.error?.message).toContain('SET_BACKEND_REQ_FD is sent; accepted: BACKEND_REQ (5)')
      expect(processResources().openFds).toBe(before)
    })

    test('to a device with an IOMMU: what that asks comes back as a message that no driver may send', () => {
      const { mine, session } = connect()
      const channel = new BackendChannel(mine)
      channel.iotlbMiss(0x1000, 1)
      expect(session.poll()).toBe('closed')
      expect(session.error?.message).toMatch(/GET_FEATURES/)
      channel.close()
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
