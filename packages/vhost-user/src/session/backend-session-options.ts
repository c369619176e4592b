import type { VhostUserDevice } from '../device/device.ts'
import type { SessionHost } from '../host/session-host.ts'
import type { Transport } from '../messages/transport.ts'
import type { FaultHandler } from '../report-fault.ts'
import type { Refusal } from './refusal.ts'

/** What a session watches and tells; for people. */
export type SessionTrace = (direction: 'in' | 'out', bytes: Uint8Array, fds: readonly number[]) => void

export interface BackendSessionOptions {
  readonly transport: Transport
  readonly device: VhostUserDevice
  readonly host: SessionHost
  /** Sees every whole message. */
  readonly trace?: SessionTrace
  /** Bytes of memory that the frontend may share, all regions together. Default: what this host has. */
  readonly memoryBytesMax?: number
  /** How long a message may be on its way from its first byte to its last, in ms. Default {@link MESSAGE_MS}. */
  readonly messageMs?: number
  /** Hears of errors that are no `VringError`: mistakes of a device. Default {@link reportFault}. */
  readonly onFault?: FaultHandler
  /** Told of every request that is refused. */
  readonly onRefusal?: (refusal: Refusal) => void
  /** Takes a line for people, about what is odd and was dealt with. Default: standard error. */
  readonly onNote?: (line: string) => void
}

/**
 * Frontends send a message by one call. What came with the first part of one is held until the rest comes. The
 * frontend's own end of this connection can be among it. Then its hang-up is not seen.
 */
export const MESSAGE_MS = 10_000
