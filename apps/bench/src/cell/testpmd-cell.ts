import { UnixListener, type UnixSocket } from '@vring/linux'
import { type FrameSource, LoopbackBackend, type NetBackend } from '@vring/vhost-net'
import { BackendSession, linuxHost, VhostUserWorker } from '@vring/vhost-user'
import { NetDevice } from '@vring/vhost-user-net'
import { answerRequests } from '../drivers/device-process.ts'
import { backendCounts } from '../in-process/backend-counts.ts'
import { digest } from '../in-process/lap-state.ts'
import { SamplingBackend } from '../in-process/sampling-backend.ts'
import { loadTried } from '../load-registry.ts'
import { tryPin } from '../placement/try-pin.ts'
import { negotiatedNames } from '../results/negotiated.ts'
import { Board } from '../slices/board.ts'
import type { DeviceRequest, ListenRequest, ServedDevice } from '../slices/vring-device.ts'
import { CountedEnd } from '../system/counted-end.ts'
import { createBackend } from './backend-choice.ts'
import type { CellSpec } from './cell-spec.ts'

/**
 * The process of one accessor that serves a real driver. It has one vhost-user session on one CPU, from `serve` until
 * the board says that it is over.
 */

const CONNECT_LIMIT_MS = 60_000
const SAMPLED_FRAMES = 4096
/** A driver that sends no more is not waited for, ms. */
const SAMPLE_LIMIT_MS = 1000

interface Listening {
  readonly spec: CellSpec
  readonly listener: UnixListener
  readonly board: Board
  readonly end: NetBackend
  readonly backend: SamplingBackend
  readonly device: NetDevice
}

let live: Listening | null = null

async function answer(request: DeviceRequest): Promise<unknown> {
  if (request.type === 'listen') return listen(request)
  if (live === null) throw new Error('serve before listen')
  return serve(live)
}

async function listen(request: ListenRequest): Promise<void> {
  const { spec } = request
  tryPin(request.cpu)
  const registry = await loadTried(request.plugins)
  const end = createBackend(registry, spec.backend)
  const backend = new SamplingBackend(end)
  const device = new NetDevice({
    accessor: registry.accessor(spec.accessor),
    accessorOptions: spec.options,
    backend: () => backend,
    source: () => (isFrameSource(end) ? end : null),
    payload: spec.payload,
  })
  live = {
    spec,
    end,
    backend,
    device,
    board: new Board(request.board),
    listener: UnixListener.listen(request.socket),
  }
}

async function serve({ spec, listener, board, end, backend, device }: Listening): Promise<ServedDevice> {
  try {
    const transport = await accept(listener)
    const session = new BackendSession({ transport, device, host: linuxHost })
    try {
      const looks = new BoardLooks(board, backend, frameCount(end, device))
      const worker = new VhostUserWorker({
        busyPollUs: Number.POSITIVE_INFINITY,
        shouldStop: () => looks.isOver(),
      })
      worker.add(session, device)
      if (worker.run() === 'closed')
        throw new Error(`the driver hung up: ${String(session.error ?? 'no reason given')}`)
      const features = negotiatedNames(session.features)
      checkNegotiated(spec, features)
      const accesses = device.report().find(({ index }) => index === 1)?.accesses ?? {}
      const counted = Object.keys(backendCounts(backend.inner)).filter((name) =>
        /^(verdict|proto|dropped)\./.test(name),
      )
      return {
        hash: digest(...counted.sort(), ...backend.distinct),
        accesses: { ...accesses },
        features,
        residentBytes: process.resourceUsage().maxRSS * 1024,
      }
    } finally {
      session.close()
    }
  } finally {
    listener.close()
    end.close()
  }
}

/** A cell is named after the ring that its driver was asked for: one that got another is no cell of that name. */
function checkNegotiated({ ring, inOrder }: CellSpec, features: readonly string[]): void {
  const wanted = { RING_PACKED: ring === 'packed', IN_ORDER: inOrder }
  for (const [name, asked] of Object.entries(wanted))
    if (features.includes(name) !== asked)
      throw new Error(`${name} was ${asked ? 'asked for and is not' : 'not asked for and is'} negotiated`)
}

/** A device that the driver also receives from. */
function isFrameSource(end: NetBackend): end is NetBackend & FrameSource {
  return 'receive' in end
}

/** What is counted: frames where they arrive, those given back where the driver is the end, else those taken. */
function frameCount(end: NetBackend, device: NetDevice): () => number {
  if (end instanceof CountedEnd) return () => end.arrived
  if (end instanceof LoopbackBackend)
    return () => device.report().find(({ delivered }) => delivered !== null)?.delivered?.frames ?? 0
  return () => end.counters.txFrames
}

async function accept(listener: UnixListener): Promise<UnixSocket> {
  const end = performance.now() + CONNECT_LIMIT_MS
  for (;;) {
    const socket = listener.accept()
    if (socket !== null) return socket
    if (performance.now() > end) throw new Error(`no driver connected within ${CONNECT_LIMIT_MS / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Looks once a millisecond: tells the board what was counted where it asks; at the end, samples frames. */
class BoardLooks {
  readonly #board: Board
  readonly #backend: SamplingBackend
  readonly #count: () => number
  #samplingSince = 0

  constructor(board: Board, backend: SamplingBackend, count: () => number) {
    this.#board = board
    this.#backend = backend
    this.#count = count
  }

  isOver(): boolean {
    this.#board.look(this.#count)
    if (!this.#board.finishing) return false
    const now = performance.now()
    if (this.#samplingSince === 0) {
      this.#samplingSince = now
      this.#backend.remaining = SAMPLED_FRAMES
    }
    return this.#backend.remaining <= 0 || now - this.#samplingSince > SAMPLE_LIMIT_MS
  }
}

answerRequests(answer)
