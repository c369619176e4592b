import { UnixSocket } from '@vring/linux'
import { BackendSession, linuxHost, VhostUserFrontend } from '../src/index.ts'
import { RecyclingDevice } from './recycling-device.ts'

/** Both ends of a socket pair in one thread: the frontend lets the session work while it waits for an answer. */
export function connected(device = new RecyclingDevice()): {
  device: RecyclingDevice
  session: BackendSession
  frontend: VhostUserFrontend
} {
  const [one, transport] = UnixSocket.pair()
  const session = new BackendSession({ transport, device, host: linuxHost })
  const frontend = new VhostUserFrontend({ transport: one, wait: () => void session.poll() })
  return { device, session, frontend }
}
