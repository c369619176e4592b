import { parentPort, workerData } from 'node:worker_threads'
import { featureSet, VIRTIO_F_ACCESS_PLATFORM, VIRTIO_NET_F_MQ } from '@vring/layout'
import { EventFd } from '@vring/linux'
import { createRegistry } from '@vring/registry'
import { serveVhostUser } from '@vring/vhost-user'
import { createDatapath } from './datapath.ts'
import { CONTROL_SNAPSHOT, CONTROL_STOP, type WorkerMessage, type WorkerSettings } from './protocol.ts'
import { startError } from './serve-error.ts'
import { ServedDevice } from './served-device.ts'

/**
 * The thread that serves the socket: one isolate, one accessor, all queues of the session. It does not return to the event
 * loop before it ends; the main thread reaches it through shared cells and an eventfd.
 */
function work(settings: WorkerSettings): void {
  const { socket, role, queuePairs, wakeFd } = settings
  const control = new Int32Array(settings.control)
  const wake = new EventFd(wakeFd)
  const accessor = createRegistry().accessor(settings.accessor)
  let features = settings.features
  if (accessor.supports.iotlb) features |= featureSet(VIRTIO_F_ACCESS_PLATFORM)
  if (queuePairs > 1) features |= featureSet(VIRTIO_NET_F_MQ)
  const datapath = attempt('--backend', () => createDatapath(settings.datapath, queuePairs))
  try {
    const device = new ServedDevice({ accessor, datapath, features })
    let answered = 0
    let told = false
    attempt('--socket', () =>
      serveVhostUser({
        path: socket,
        role,
        device,
        wakeFd,
        shouldStop: () => {
          if (!told) tell({ type: 'ready' })
          told = true
          device.awake()
          wake.drain()
          const request = Atomics.load(control, CONTROL_SNAPSHOT)
          if (request !== answered) {
            answered = request
            tell({ type: 'snapshot', request, snapshot: device.snapshot() })
          }
          return Atomics.load(control, CONTROL_STOP) === 1
        },
        onOpen: (session) => {
          device.opened(session)
          tell({ type: 'opened' })
        },
        onClose: (session) => {
          device.closed(session)
          tell({ type: 'closed', error: session.error?.message ?? null })
        },
      }),
    )
    datapath.idle()
    tell({ type: 'stopped', snapshot: device.snapshot() })
  } finally {
    datapath.close()
  }
}

/** Errors say which argument asked for what failed. */
function attempt<T>(argument: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw startError(argument, error)
  }
}

function tell(message: WorkerMessage): void {
  parentPort?.postMessage(message)
}

try {
  work(workerData as WorkerSettings)
} catch (error) {
  const { message, exitCode } = startError('worker', error)
  tell({ type: 'failed', message, exitCode })
}
