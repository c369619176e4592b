import { BackendSession, type SessionTrace } from './backend-session.ts'
import type { VhostUserDevice } from './device.ts'
import { type EndpointOptions, VhostUserEndpoint } from './endpoint.ts'
import { linuxHost } from './linux-host.ts'
import { VhostUserWorker } from './worker.ts'

export interface ServeOptions extends EndpointOptions {
  readonly device: VhostUserDevice
  /** See {@link VhostUserWorkerOptions}. */
  readonly busyPollUs?: number
  /** See {@link VhostUserWorkerOptions}. */
  readonly controlUs?: number
  readonly trace?: SessionTrace
  /** See {@link BackendSessionOptions}. */
  readonly memoryBytesMax?: number
  /** A frontend connected. */
  readonly onOpen?: (session: BackendSession) => void
  /** A session is over; `session.error` says why, null: the frontend hung up. */
  readonly onClose?: (session: BackendSession) => void
}

/**
 * Serves a device to one frontend after the other, until `shouldStop` says so: waits for a connection, runs its session,
 * and waits again when it ends, for whatever reason. Blocks the thread: give it a worker.
 *
 * @throws VringError when the endpoint itself fails (path in use, no permission)
 */
export function serveVhostUser(options: ServeOptions): void {
  const endpoint = new VhostUserEndpoint(options)
  try {
    for (let transport = endpoint.next(); transport !== null; transport = endpoint.next()) {
      const session = new BackendSession({ ...options, transport, host: linuxHost })
      try {
        options.onOpen?.(session)
        new VhostUserWorker({ ...options, session }).run()
      } finally {
        session.close()
      }
      options.onClose?.(session)
    }
  } finally {
    endpoint.close()
  }
}
