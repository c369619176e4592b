import { answerRequests } from '../drivers/device-process.ts'
import { startDpdk } from '../peers/dpdk-peer.ts'
import { startIoUring } from '../peers/io-uring-peer.ts'
import type { PeerRequest, RunningPeer } from '../peers/peer-protocol.ts'

/**
 * The process of one peer. Its devices are in a network namespace of its own, which the peer's program, a child of this
 * process, shares; both go with it.
 */

let running: RunningPeer | null = null

answerRequests(async (request: PeerRequest) => {
  if (request.type === 'start') {
    running = request.peer === 'dpdk' ? await startDpdk(request) : await startIoUring(request)
    return
  }
  if (running === null) throw new Error(`${request.type} before start`)
  return running[request.type]()
})
