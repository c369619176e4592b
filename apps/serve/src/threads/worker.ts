import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { supportsOf } from '@vring/accessor'
import { featureSet, VIRTIO_F_ACCESS_PLATFORM, VringError } from '@vring/layout'
import { EventFd, peerCredentials } from '@vring/linux'
import {
  type BackendSession,
  createLinuxHost,
  describeFault,
  FollowedSession,
  serveVhostUser,
  VhostUserWorker,
} from '@vring/vhost-user'
import { loadTried } from '../config/load-registry.ts'
import { Captures } from '../datapath/captures.ts'
import { createDatapath } from '../datapath/datapath.ts'
import type { Datapath } from '../datapath/datapath-ends.ts'
import { attempt, startError } from '../serve-error.ts'
import {
  CONTROL_SNAPSHOT,
  CONTROL_STOP,
  type DeviceCommand,
  type FollowerSeat,
  type HomeSeat,
  type NumberedCommand,
  type WorkerMessage,
  type WorkerSettings,
} from './protocol.ts'
import { ServedDevice } from './served-device.ts'
import { obey, SharedDevice } from './shared-device.ts'

/**
 * A thread that serves queue pairs of a device: one isolate, one accessor. It does not return to the event loop before it
 * ends; the main thread reaches it through shared cells and an eventfd.
 */
async function work(settings: WorkerSettings): Promise<void> {
  const { queuePairs, threads, seat } = settings
  const thread = seat.kind === 'home' ? 0 : seat.thread
  const registry = await loadTried(settings.plugins)
  const accessor = registry.accessor(settings.accessor.name)
  let features = settings.features
  if (supportsOf(accessor, settings.accessor.options).iotlb) features |= featureSet(VIRTIO_F_ACCESS_PLATFORM)
  const note = (line: string): void => tell({ type: 'note', line })
  const debug = (line: string): void => tell({ type: 'note', line, level: 'debug' })
  const owned = Array.from({ length: queuePairs }, (_, pair) => pair).filter((pair) => pair % threads === thread)
  const datapath = await createDatapath(settings.datapath, queuePairs, owned, note, debug, registry).catch(
    (error: unknown) => {
      throw startError('--backend', error)
    },
  )
  const captures = new Captures(datapath.pairs, note)
  if (datapath.note !== null && thread === 0) note(datapath.note)
  let changePairs = (_count: number, own: () => void): void => own()
  try {
    for (const spec of settings.captures)
      if ((spec.pair ?? 0) % threads === thread) attempt('--capture', () => captures.begin(spec))
    const device = new ServedDevice({
      accessor,
      accessorOptions: settings.accessor.options,
      datapath,
      features,
      announce: settings.announce,
      captures,
      thread,
      changePairs: (count, own) => changePairs(count, own),
      onNote: note,
    })
    if (seat.kind === 'follower') follow(settings, seat, device, datapath)
    else {
      const shared = new SharedDevice(device, seat.followers, (thread) => tell({ type: 'overdue', thread }))
      changePairs = (count, own) => shared.changePairs(count, own)
      serve(settings, seat, device, shared, datapath)
    }
  } finally {
    captures.close()
    datapath.close()
  }
}

/** The thread that has the socket. */
function serve(
  settings: WorkerSettings,
  seat: HomeSeat,
  device: ServedDevice,
  shared: SharedDevice,
  datapath: Datapath,
): void {
  const control = new Int32Array(settings.control)
  const wake = new EventFd(settings.wakeFd)
  const { files, requireSealed, bytesMax } = seat.memory
  const note = (line: string): void => tell({ type: 'note', line })
  const gone = sayWhenGone(datapath)
  let open: BackendSession | null = null
  let answered = 0
  let told = false
  attempt('--socket', () =>
    serveVhostUser({
      path: seat.socket,
      ...(seat.fd === null ? {} : { fd: seat.fd }),
      role: seat.role,
      device: shared.device,
      wakeFd: settings.wakeFd,
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
        gone()
        const trouble = shared.trouble()
        if (trouble !== null) open?.close(new VringError('ERR_INTERNAL', trouble, { field: 'thread' }))
        for (let one = nextCommand(seat); one !== null; one = nextCommand(seat)) {
          const { number, command } = one
          tell({ type: 'done', number, error: shared.run(command) })
        }
        const request = Atomics.load(control, CONTROL_SNAPSHOT)
        if (request !== answered) {
          answered = request
          tell({ type: 'snapshot', request, snapshot: shared.snapshot() })
        }
        return Atomics.load(control, CONTROL_STOP) === 1 || shared.hasEnded
      },
      onOpen: (session) => {
        open = session
        device.opened(session)
        tell({ type: 'opened', peer: peerCredentials(session.fd) })
      },
      onClose: (session) => {
        open = null
        device.closed(session)
        tell({ type: 'closed', error: session.error?.message ?? null })
      },
    }),
  )
  datapath.idle()
  tell({ type: 'stopped', snapshot: shared.snapshot() })
}

/** A thread that serves pairs of the sessions of another one. */
function follow(settings: WorkerSettings, { end }: FollowerSeat, device: ServedDevice, datapath: Datapath): void {
  const control = new Int32Array(settings.control)
  const wake = new EventFd(settings.wakeFd)
  const gone = sayWhenGone(datapath)
  let told = false
  const worker = new VhostUserWorker({
    wakeFd: settings.wakeFd,
    shouldStop: () => {
      if (!told) tell({ type: 'ready' })
      told = true
      device.awake()
      wake.drain()
      gone()
      return Atomics.load(control, CONTROL_STOP) === 1
    },
  })
  const session = new FollowedSession({
    end,
    device,
    onCommand: (data) => obey(device, data as DeviceCommand),
    // The home says it, as what its session ends with.
    onFault: () => {},
    onNote: (line) => tell({ type: 'note', line }),
  })
  worker.add(session, device)
  worker.run()
  datapath.idle()
}

/** Tells once that a device was deleted. */
function sayWhenGone({ pairs }: Datapath): () => void {
  let gone = false
  return () => {
    if (gone || !pairs.some((pair) => pair.gone())) return
    gone = true
    tell({ type: 'gone' })
  }
}

function nextCommand({ commands }: HomeSeat): NumberedCommand | null {
  return (receiveMessageOnPort(commands)?.message as NumberedCommand | undefined) ?? null
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
