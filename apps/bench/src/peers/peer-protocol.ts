import type { CellSpec } from '../cell-spec.ts'
import type { Flow } from './flow-meter.ts'
import type { PeerName } from './peer-names.ts'

/** What the orchestrator asks of a peer's process: one trial. */
export interface PeerRequest {
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
  readonly warmUpMs: number
  readonly durationMs: number
}

/** One trial of a peer. */
export interface PeerTrial extends Flow {
  readonly version: string
}
