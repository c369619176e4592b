import { setAffinity, UnixListener, type UnixSocket } from '@vring/linux'
import { type FrameSource, LoopbackBackend, type NetBackend } from '@vring/vhost-net'
import { BackendSession, linuxHost, VhostUserWorker } from '@vring/vhost-user'
import { NetDevice } from '@vring/vhost-user-net'
import type { CellSpec } from './cell-spec.ts'
import { backendCounts } from './cells/backend-counts.ts'
import { digest } from './cells/lap-state.ts'
import { SamplingBackend } from './cells/sampling-backend.ts'
import { answerRequests } from './drivers/device-process.ts'
import { loadRegistry } from './load-registry.ts'
import { LookTimes } from './look-times.ts'
import { FLOW_FRAMES } from './peers/flow-meter.ts'
import type { TrialAnswer } from './protocol.ts'
import { CountedEnd } from './system/counted-end.ts'

/**
 * The process of one accessor that serves a real driver: a vhost-user session on one CPU, for one trial at a time. Compiled
 * code stays from trial to trial.
 */

/** What the orchestrator asks. */
export interface TestpmdRequest {
  readonly spec: CellSpec
  readonly plugins: readonly string[]
  readonly socket: string
  readonly cpu: number
  readonly warmUpMs: number
  readonly durationMs: number
}

/** What one trial gave. */
export interface ServedTrial {
  readonly packets: number
  readonly seconds: number
  /** ns a packet between two looks at the clock, a millisecond or more apart. */
  readonly nsPerPacket: TrialAnswer['nsPerPacket']
  /** Of the different frames, their verdicts and protocols. */
  readonly hash: string
  readonly accesses: Record<string, number>
  readonly residentBytes: number
}

const CONNECT_LIMIT_MS = 60_000
/** From the connection to the first packet: negotiation, and testpmd's start. */
const FIRST_PACKET_LIMIT_MS = 30_000
const SAMPLED_FRAMES = 4096

async function serve(request: TestpmdRequest, listening: () => void): Promise<ServedTrial> {
  const { spec, cpu } = request
  setAffinity([cpu])
  const registry = await loadRegistry(request.plugins)
  const end = registry.backend(spec.backend).create()
  const backend = new SamplingBackend(end)
  const device = new NetDevice({
    accessor: registry.accessor(spec.accessor),
    accessorOptions: spec.options,
    backend: () => backend,
    source: () => (isFrameSource(end) ? end : null),
    payload: spec.payload,
  })
  const listener = UnixListener.listen(request.socket)
  try {
    listening()
    const transport = await accept(listener)
    const session = new BackendSession({ transport, device, host: linuxHost })
    try {
      const clock = new TrialClock(backend, frameCount(end, device), request.warmUpMs, request.durationMs)
      const worker = new VhostUserWorker({
        busyPollUs: Number.POSITIVE_INFINITY,
        shouldStop: () => clock.isOver(),
      })
      worker.add(session, device)
      if (worker.run() === 'closed')
        throw new Error(`the driver hung up: ${String(session.error ?? 'no reason given')}`)
      const accesses = device.report().find(({ index }) => index === 1)?.accesses ?? {}
      const { packets, seconds, nsPerPacket } = clock
      const counted = Object.keys(backendCounts(backend.inner)).filter((name) =>
        /^(verdict|proto|dropped)\./.test(name),
      )
      return {
        packets,
        seconds,
        nsPerPacket,
        hash: digest(...counted.sort(), ...backend.distinct),
        accesses: { ...accesses },
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

/** First packets, warm-up, measurement, sample: looked at once a millisecond by the worker. */
class TrialClock {
  packets = 0
  seconds = 0
  readonly #backend: SamplingBackend
  readonly #count: () => number
  readonly #warmUpMs: number
  readonly #durationMs: number
  #phase: 'waiting' | 'warming' | 'measuring' | 'sampling' = 'waiting'
  #since = performance.now()
  #from = 0
  #looks = new LookTimes(0, 0)

  constructor(backend: SamplingBackend, count: () => number, warmUpMs: number, durationMs: number) {
    this.#backend = backend
    this.#count = count
    this.#warmUpMs = warmUpMs
    this.#durationMs = durationMs
  }

  /** Of the measurement. */
  get nsPerPacket(): TrialAnswer['nsPerPacket'] {
    return this.#looks.nsPerPacket()
  }

  /** @throws Error when no packet comes, or they stop */
  isOver(): boolean {
    const now = performance.now()
    const elapsed = now - this.#since
    const frames = this.#count()
    if (this.#phase === 'waiting') {
      if (frames >= FLOW_FRAMES) this.#enter('warming', now)
      else if (elapsed > FIRST_PACKET_LIMIT_MS) throw new Error(`no packet within ${FIRST_PACKET_LIMIT_MS / 1000} s`)
    } else if (this.#phase === 'warming') {
      if (elapsed >= this.#warmUpMs) {
        this.#from = frames
        this.#looks = new LookTimes(now, frames)
        this.#enter('measuring', now)
      }
    } else if (this.#phase === 'measuring') {
      this.#looks.look(now, frames)
      if (elapsed >= this.#durationMs) {
        this.packets = frames - this.#from
        if (this.packets === 0) throw new Error('packets stopped')
        this.seconds = elapsed / 1000
        this.#backend.remaining = SAMPLED_FRAMES
        this.#enter('sampling', now)
      }
    } else return this.#backend.remaining <= 0 || elapsed > 1000
    return false
  }

  #enter(phase: 'warming' | 'measuring' | 'sampling', now: number): void {
    this.#phase = phase
    this.#since = now
  }
}

answerRequests(serve)
