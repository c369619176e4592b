import type { CellSpec } from '../cell/cell-spec.ts'
import type { PeerName } from './peer-names.ts'

/** What the orchestrator asks of a peer's process. */
export type PeerRequest = StartRequest | { readonly type: 'resume' | 'pause' | 'count' | 'report' }

/** Starts the program; answered when a driver may connect. */
export interface StartRequest {
  readonly type: 'start'
  readonly peer: PeerName
  readonly spec: CellSpec
  /** The peer's program. */
  readonly binary: string
  /** Of the program, where it does not say itself. */
  readonly version: string
  /** Socket that the driver connects to; the peer makes it. */
  readonly socket: string
  /** CPU that the peer runs on; -1: any. */
  readonly cpu: number
  readonly hugePages: boolean
}

/** What a peer says of itself. */
export interface PeerReport {
  readonly version: string
  /** Names of the features that were negotiated with the driver; null: there is none, or it does not say. */
  readonly features: readonly string[] | null
}

/** A peer's program in its process. */
export interface RunningPeer {
  /** Frames so far. */
  count(): Promise<number>
  /** Stops it where it is, and lets it go on. */
  pause(): void
  resume(): void
  report(): PeerReport
}
