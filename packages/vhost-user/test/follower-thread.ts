import { parentPort, workerData } from 'node:worker_threads'
import { FollowedSession, type FollowerEnd, VhostUserWorker } from '../src/index.ts'
import { RecyclingDevice } from './recycling-device.ts'

/** What a test starts this thread with. */
export interface FollowerThreadData {
  readonly end: FollowerEnd
  /** Cell that is 1 when it is to stop. */
  readonly stop: SharedArrayBuffer
  readonly queueCount: number
}

/** A thread that follows a session's home with a {@link RecyclingDevice}; commands say what a test asks of it. */
const { end, stop, queueCount } = workerData as FollowerThreadData
const cell = new Int32Array(stop)
const device = new RecyclingDevice()
device.queueCount = queueCount
let bad = false
const serve = device.serveQueue.bind(device)
device.serveQueue = (index) => {
  if (bad) throw new TypeError('a mistake of the device')
  return serve(index)
}
const session: FollowedSession = new FollowedSession({
  end,
  device,
  onFault: () => {
    bad = false
  },
  onCommand: (asked): unknown => {
    if (asked === 'throw') bad = true
    if (asked === 'die') process.exit(3)
    if (asked === 'hang') for (;;);
    if (asked === 'forget') device.chains = 0
    if (asked === 'refuse') throw new RangeError('no')
    return { chains: device.chains, calls: device.calls.splice(0), regions: session.memory.shared.regions.length }
  },
})
const worker = new VhostUserWorker({ busyPollUs: 0, shouldStop: () => Atomics.load(cell, 0) === 1 })
worker.add(session, device)
parentPort!.postMessage('ready')
worker.run()
