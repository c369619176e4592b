import type { CellSpec } from './cell-spec.ts'
import { answerRequests } from './drivers/device-process.ts'
import { measureDpdk } from './peers/dpdk-peer.ts'
import type { Flow } from './peers/flow-meter.ts'
import { measureIoUring } from './peers/io-uring-peer.ts'
import type { PeerName } from './peers/peer-names.ts'

/**
 * The process of one peer. Its devices are in a network namespace of its own, which the peer's program, a child of this
 * process, shares.
 */

/** What the orchestrator asks: one trial. */
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

answerRequests((request: PeerRequest, listening) =>
  request.peer === 'dpdk' ? measureDpdk(request, listening) : measureIoUring(request),
)
