import { processResources } from '@vring/linux'
import { Counter, Gauge, type MetricObjectWithValues, type MetricValueWithName, Registry, Summary } from 'prom-client'
import { formatBackend } from './backend-spec.ts'
import type { ServeConfig } from './config.ts'
import type { LatencySnapshot, Snapshot } from './snapshot.ts'

/** The moment that metrics describe. */
export interface Observation {
  readonly snapshot: Snapshot
  /** Counts of the XDP program in the kernel, or null. */
  readonly kernel: Readonly<Record<string, number>> | null
}

/** `text/plain; version=0.0.4`: what {@link formatMetrics} writes. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * The Prometheus exposition of one moment. A registry of its own each time: the worker keeps the counts, this only words
 * them.
 */
export async function formatMetrics(config: ServeConfig, { snapshot, kernel }: Observation): Promise<string> {
  const registry = new Registry()
  const registers = [registry]
  const counter = (name: string, help: string, labelNames: string[] = []): Counter =>
    new Counter({ name, help, labelNames, registers })
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name, help, labelNames, registers })

  const { accessor, backend } = config
  gauge('vring_info', 'Always 1: what the daemon was started with.', ['accessor', 'backend']).set(
    { accessor, backend: formatBackend(backend) },
    1,
  )
  const packets = counter('vring_packets_total', 'Frames taken from the driver (tx) and given to it (rx).', PAIR)
  const bytes = counter('vring_bytes_total', 'Bytes of those frames, without virtio-net headers.', PAIR)
  const dropped = counter('vring_dropped_packets_total', 'Frames that were dropped.', [...PAIR, 'reason'])
  for (const [pair, one] of snapshot.pairs.entries()) {
    for (const direction of ['tx', 'rx'] as const) {
      const labels = { pair: String(pair), direction }
      packets.inc(labels, one[`${direction}Frames`])
      bytes.inc(labels, one[`${direction}Bytes`])
      for (const [reason, frames] of Object.entries(one[`${direction}Dropped`]))
        dropped.inc({ ...labels, reason }, frames)
    }
  }
  const up = gauge('vring_backend_up', '0 when the device of a queue pair was deleted.', ['pair'])
  for (const [pair, { gone }] of snapshot.pairs.entries()) up.set({ pair: String(pair) }, gone ? 0 : 1)
  const captured = counter('vring_capture_frames_total', 'Frames that a capture holds.', ['file'])
  const uncaptured = counter('vring_capture_lost_frames_total', 'Frames that did not get into a capture.', ['file'])
  for (const { path, frames, lost } of snapshot.captures) {
    captured.inc({ file: path }, frames)
    uncaptured.inc({ file: path }, lost)
  }
  const verdicts = counter('vring_xdp_packets_total', 'Frames by verdict of the XDP program.', ['verdict'])
  for (const [verdict, frames] of Object.entries(snapshot.verdicts ?? {})) verdicts.inc({ verdict }, frames)
  const byProgram = counter(
    'vring_xdp_program_packets_total',
    'What the XDP program in this process counted, by map and key.',
    ['counter'],
  )
  for (const [name, frames] of Object.entries(snapshot.programCounts ?? {})) byProgram.inc({ counter: name }, frames)
  const inKernel = counter(
    'vring_xdp_kernel_packets_total',
    'What the XDP program in the kernel counted, by map and key.',
    ['counter'],
  )
  for (const [name, frames] of Object.entries(kernel ?? {})) inKernel.inc({ counter: name }, frames)
  counter('vring_notifications_total', 'Times the driver was told of used buffers.').inc(snapshot.notifications)
  counter('vring_wakeups_total', 'Times the worker was woken, by a kick or another event.').inc(snapshot.wakeups)
  const accesses = counter('vring_ring_accesses_total', 'Accesses of ring metadata.', ['area', 'mode'])
  for (const [key, count] of Object.entries(snapshot.accesses)) {
    const dot = key.indexOf('.')
    accesses.inc({ area: key.slice(0, dot), mode: key.slice(dot + 1) }, count)
  }
  const broken = counter('vring_broken_queues_total', 'Rings that a driver broke.', ['reason'])
  for (const [reason, count] of Object.entries(snapshot.broken)) broken.inc({ reason }, count)
  gauge('vring_queues', 'Rings that run.').set(snapshot.queues.length)
  gauge('vring_queues_broken', 'Rings that run and are broken.').set(
    snapshot.queues.filter((queue) => queue.broken !== null).length,
  )
  counter('vring_sessions_total', 'Drivers that connected.').inc(snapshot.sessions)
  gauge('vring_connected', '1 while a driver is connected.').set(snapshot.session === null ? 0 : 1)
  gauge('vring_driver_memory_bytes', 'Memory that the driver shares.').set(snapshot.session?.memoryBytes ?? 0)
  new LatencySummary(
    'vring_round_seconds',
    'Duration of a round that did something; one round in 16 is timed.',
    snapshot.round,
    registry,
  )
  new LatencySummary(
    'vring_wake_to_backend_seconds',
    "From the worker's wake-up to the end of the round that handed the driver's frames to the backend.",
    snapshot.wakeToBackend,
    registry,
  )
  const { openFds, residentBytes } = processResources()
  gauge('process_resident_memory_bytes', 'Resident memory of the daemon.').set(residentBytes)
  gauge('process_open_fds', 'Open file descriptors of the daemon.').set(openFds)
  const { user, system } = process.cpuUsage()
  counter('process_cpu_seconds_total', 'CPU time of the daemon, all threads.').inc((user + system) / 1e6)
  return registry.metrics()
}

const PAIR = ['pair', 'direction']

/** A summary whose quantiles were computed elsewhere. */
class LatencySummary extends Summary<'quantile'> {
  readonly #latency: LatencySnapshot

  constructor(name: string, help: string, latency: LatencySnapshot, registry: Registry) {
    super({ name, help, registers: [registry] })
    this.#latency = latency
  }

  override async get(): Promise<MetricObjectWithValues<MetricValueWithName<'quantile'>>> {
    const described = await super.get()
    const { name } = described
    const { count, sum, p50, p90, p99, max } = this.#latency
    const quantiles =
      count === 0
        ? []
        : ([
            [0.5, p50],
            [0.9, p90],
            [0.99, p99],
            [1, max],
          ] as const)
    return {
      ...described,
      values: [
        ...quantiles.map(([quantile, ns]) => ({ labels: { quantile }, value: ns / 1e9 })),
        { metricName: `${name}_sum`, labels: {}, value: sum / 1e9 },
        { metricName: `${name}_count`, labels: {}, value: count },
      ],
    }
  }
}
