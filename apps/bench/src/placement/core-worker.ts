import { parentPort, workerData } from 'node:worker_threads'
import { type RoundTripEnd, roundTripEnd, setAffinity, systemErrnoOf, withFifo } from '@vring/linux'
import { BLOCK_TURNS, BLOCKS, type CoreWorkerData, WARM_TURNS, type WorkerAnswer } from './probe-protocol.ts'

/**
 * One of the two threads that send a cache line to each other and back. It sleeps until it is told a CPU; there it runs
 * under SCHED_FIFO where that is allowed, for a fraction of a millisecond.
 */
const { role, memory, method } = workerData as CoreWorkerData
const end = roundTripEnd(role, memory, method)

function measure(cpu: number): WorkerAnswer {
  let refusal: string | null = null
  try {
    setAffinity([cpu])
  } catch (error) {
    return { type: 'failed', reason: `CPU ${cpu} can't be pinned (${systemErrnoOf(error) ?? String(error)})` }
  }
  const run = role === 'initiator' ? () => initiate(end) : () => respond(end)
  let result: { readonly left: number; readonly blocksNs: readonly number[] }
  try {
    result = withFifo(run)
  } catch (error) {
    refusal = systemErrnoOf(error)
    if (refusal === null) throw error
    result = run()
  }
  if (result.left > 0) return { type: 'failed', reason: `CPU ${cpu} waited in vain for the other one` }
  return { type: 'measured', blocksNs: result.blocksNs, fifo: refusal === null, method: end.method }
}

function initiate(one: RoundTripEnd): { left: number; blocksNs: number[] } {
  const blocksNs: number[] = []
  let left = one.run(WARM_TURNS)
  for (let block = 0; block < BLOCKS && left === 0; block++) {
    const start = performance.now()
    left = one.run(BLOCK_TURNS)
    blocksNs.push((1e6 * (performance.now() - start)) / BLOCK_TURNS)
  }
  return { left, blocksNs }
}

function respond(one: RoundTripEnd): { left: number; blocksNs: number[] } {
  return { left: one.run(WARM_TURNS + BLOCKS * BLOCK_TURNS), blocksNs: [] }
}

parentPort!.on('message', (cpu: number) => {
  parentPort!.postMessage(measure(cpu))
})
parentPort!.postMessage('ready')
