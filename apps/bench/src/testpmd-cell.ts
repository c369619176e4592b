import { setAffinity, UnixListener, type UnixSocket } from '@vring/linux'
import { BackendSession, linuxHost, VhostUserWorker } from '@vring/vhost-user'
import { NetDevice } from '@vring/vhost-user-net'
import type { CellSpec } from './cell-spec.ts'
import { backendCounts } from './cells/backend-counts.ts'
import { digest } from './cells/lap-state.ts'
import { SamplingBackend } from './cells/sampling-backend.ts'
import { loadRegistry } from './load-registry.ts'

/**
 * The process of one accessor that serves a real driver: a vhost-user session on one CPU, for one trial at a time. Compiled
 * code stays from trial to trial.
 */

/** What the orchestrator asks. */
export type TestpmdRequest = {
  readonly type: 'serve'
  readonly spec: CellSpec
  readonly plugins: readonly string[]
  readonly socket: string
  readonly cpu: number
  readonly warmUpMs: number
  readonly durationMs: number
}

/** What it is told: the socket is there; then what was measured. */
export type TestpmdAnswer =
  | { readonly type: 'listening' }
  | ServedTrial
  | { readonly type: 'failed'; readonly reason: string }

export interface ServedTrial {
  readonly type: 'served'
  readonly packets: number
  readonly seconds: number
  /** Of the different frames, their verdicts and protocols. */
  readonly hash: string
  readonly accesses: Record<string, number>
  readonly residentBytes: number
}

const CONNECT_LIMIT_MS = 60_000
/** From the connection to the first packet: negotiation, and testpmd's start. */
const FIRST_PACKET_LIMIT_MS = 30_000
const SAMPLED_FRAMES = 4096

async function serve(request: TestpmdRequest): Promise<ServedTrial> {
  const { spec, cpu } = request
  setAffinity([cpu])
  const registry = await loadRegistry(request.plugins)
  const backend = new SamplingBackend(registry.backend(spec.backend).create())
  const device = new NetDevice({
    accessor: registry.accessor(spec.accessor),
    accessorOptions: spec.options,
    backend: () => backend,
    payload: spec.payload,
  })
  const listener = UnixListener.listen(request.socket)
  try {
    process.send?.({ type: 'listening' } satisfies TestpmdAnswer)
    const transport = await accept(listener)
    const session = new BackendSession({ transport, device, host: linuxHost })
    try {
      const clock = new TrialClock(backend, request.warmUpMs, request.durationMs)
      const worker = new VhostUserWorker({
        session,
        device,
        busyPollUs: Number.POSITIVE_INFINITY,
        shouldStop: () => clock.isOver(),
      })
      if (worker.run() === 'closed')
        throw new Error(`the driver hung up: ${String(session.error ?? 'no reason given')}`)
      const accesses = device.report().find(({ index }) => index === 1)?.accesses ?? {}
      const { packets, seconds } = clock
      const counted = Object.keys(backendCounts(backend.inner)).filter((name) =>
        /^(verdict|proto|dropped)\./.test(name),
      )
      return {
        type: 'served',
        packets,
        seconds,
        hash: digest(...counted.sort(), ...backend.distinct),
        accesses: { ...accesses },
        residentBytes: process.resourceUsage().maxRSS * 1024,
      }
    } finally {
      session.close()
    }
  } finally {
    listener.close()
  }
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

/** First packet, warm-up, measurement, sample: looked at once a millisecond by the worker. */
class TrialClock {
  packets = 0
  seconds = 0
  readonly #backend: SamplingBackend
  readonly #warmUpMs: number
  readonly #durationMs: number
  #phase: 'waiting' | 'warming' | 'measuring' | 'sampling' = 'waiting'
  #since = performance.now()
  #from = 0

  constructor(backend: SamplingBackend, warmUpMs: number, durationMs: number) {
    this.#backend = backend
    this.#warmUpMs = warmUpMs
    this.#durationMs = durationMs
  }

  /** @throws Error when no packet comes */
  isOver(): boolean {
    const now = performance.now()
    const elapsed = now - this.#since
    const frames = this.#backend.counters.txFrames
    if (this.#phase === 'waiting') {
      if (frames > 0) this.#enter('warming', now)
      else if (elapsed > FIRST_PACKET_LIMIT_MS) throw new Error(`no packet within ${FIRST_PACKET_LIMIT_MS / 1000} s`)
    } else if (this.#phase === 'warming') {
      if (elapsed >= this.#warmUpMs) {
        this.#from = frames
        this.#enter('measuring', now)
      }
    } else if (this.#phase === 'measuring') {
      if (elapsed >= this.#durationMs) {
        this.packets = frames - this.#from
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

process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(0))
process.on('message', (request: TestpmdRequest) => {
  serve(request)
    .catch((error: unknown): TestpmdAnswer => {
      return { type: 'failed', reason: error instanceof Error ? error.message : String(error) }
    })
    .then((answer) => process.send?.(answer))
})
