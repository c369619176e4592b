import { answerRequests } from './drivers/device-process.ts'
import { measureDpdk } from './peers/dpdk-peer.ts'
import { measureIoUring } from './peers/io-uring-peer.ts'
import type { PeerRequest } from './peers/peer-protocol.ts'

/**
 * The process of one peer. Its devices are in a network namespace of its own, which the peer's program, a child of this
 * process, shares.
 */

answerRequests((request: PeerRequest, listening) =>
  request.peer === 'dpdk' ? measureDpdk(request, listening) : measureIoUring(request),
)
