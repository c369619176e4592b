import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { featureSet, VIRTIO_F_ACCESS_PLATFORM } from '@vring/layout'
import { EventFd, peerCredentials } from '@vring/linux'
import { createLinuxHost, describeFault, serveVhostUser } from '@vring/vhost-user'
import { Captures } from './captures.ts'
import { createDatapath } from './datapath.ts'
import { loadRegistry } from './load-registry.ts'
import {
  CONTROL_SNAPSHOT,
  CONTROL_STOP,
  type NumberedCommand,
  type WorkerCommand,
  type WorkerMessage,
  type WorkerSettings,
} from './protocol.ts'
import { startError } from './serve-error.ts'
import { ServedDevice } from './served-device.ts'

/**
 * The thread that serves the socket: one isolate, one accessor, all queues of the session. It does not return to the event
 * loop before it ends; the main thread reaches it through shared cells and an eventfd.
 */
async function work(settings: WorkerSettings): Promise<void> {
  const { socket, fd, role, queuePairs, wakeFd } = settings
  const control = new Int32Array(settings.control)
  const wake = new EventFd(wakeFd)
  const registry = await loadRegistry(settings.plugins)
  const accessor = registry.accessor(settings.accessor.name)
  let features = settings.features
  if (accessor.supports.iotlb) features |= featureSet(VIRTIO_F_ACCESS_PLATFORM)
  const note = (line: string): void => tell({ type: 'note', line })
  const debug = (line: string): void => tell({ type: 'note', line, level: 'debug' })
  const datapath = await createDatapath(settings.datapath, queuePairs, note, debug, registry).catch(
    (error: unknown) => {
      throw startError('--backend', error)
    },
  )
  const captures = new Captures(datapath.pairs, note)
  if (datapath.note !== null) note(datapath.note)
  const { files, requireSealed, bytesMax } = settings.memory
  try {
    for (const spec of settings.captures) attempt('--capture', () => captures.begin(spec))
    const device = new ServedDevice({
      accessor,
      accessorOptions: settings.accessor.options,
      datapath,
      features,
      announce: settings.announce,
      captures,
      onNote: note,
    })
    let answered = 0
    let told = false
    let gone = false
    attempt('--socket', () =>
      serveVhostUser({
        path: socket,
        ...(fd === null ? {} : { fd }),
        role,
        device,
        wakeFd,
        host: createLinuxHost({ files, requireSealed, onNote: note }),
        ...(bytesMax === null ? {} : { memoryBytesMax: bytesMax }),
        onRefusal: (refusal) => device.refused(refusal),
        onNote: note,
        onFault: (error) => note(describeFault(error)),
        shouldStop: () => {
          if (!told) tell({ type: 'ready' })
          told = true
          device.awake()
          wake.drain()
          if (!gone && datapath.pairs.some((pair) => pair.gone())) {
            gone = true
            tell({ type: 'gone' })
          }
          for (let one = nextCommand(settings); one !== null; one = nextCommand(settings)) {
            const { number, command } = one
            tell({ type: 'done', number, error: run(device, command) })
          }
          const request = Atomics.load(control, CONTROL_SNAPSHOT)
          if (request !== answered) {
            answered = request
            tell({ type: 'snapshot', request, snapshot: device.snapshot() })
          }
          return Atomics.load(control, CONTROL_STOP) === 1
        },
        onOpen: (session) => {
          device.opened(session)
          tell({ type: 'opened', peer: peerCredentials(session.fd) })
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
    captures.close()
    datapath.close()
  }
}

function nextCommand({ commands }: WorkerSettings): NumberedCommand | null {
  return (receiveMessageOnPort(commands)?.message as NumberedCommand | undefined) ?? null
}

/** Null, or why it was not done. */
function run(device: ServedDevice, command: WorkerCommand): string | null {
  try {
    if (command.kind === 'begin-capture') device.beginCapture(command.spec)
    else if (!device.endCapture(command.path)) return `no capture goes to ${command.path}`
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
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
  await work(workerData as WorkerSettings)
} catch (error) {
  const { message, exitCode } = startError('worker', error)
  tell({ type: 'failed', message, exitCode })
}
