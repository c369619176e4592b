import { type LinkInfo, processResources } from '@vring/linux'
import { formatAccessor } from '@vring/registry'
import { Counter, Gauge, type MetricObjectWithValues, type MetricValueWithName, Registry, Summary } from 'prom-client'
import { formatBackend } from '../config/backend-spec.ts'
import type { ServeConfig } from '../config/serve-config.ts'
import type { LinkPlace } from '../host-side/link-watch.ts'
import { version } from '../version.ts'
import type { HistoryPoint } from './history.ts'
import type { LatencySnapshot, Snapshot, ThreadSnapshot } from './snapshot.ts'

/** The moment that metrics describe. */
export interface Observation {
  readonly snapshot: Snapshot
  /** Counts of the XDP program in the kernel, or null. */
  readonly kernel: Readonly<Record<string, number>> | null
  /** The network interface of the device, or null. */
  readonly link: LinkObservation | null
  /** Rates of the last minutes. */
  readonly history: readonly HistoryPoint[]
}

/** A device with what it has done. */
export interface Observed {
  readonly config: ServeConfig
  readonly observation: Observation
}

export interface LinkObservation {
  readonly name: string
  readonly up: boolean
  readonly place: LinkPlace
  /** Is the XDP program that was put on it still there? Null: none was. */
  readonly hasProgram: boolean | null
  /** Null: it is not here. */
  readonly info: LinkInfo | null
}

/** `text/plain; version=0.0.4`: what {@link formatMetrics} writes. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * The Prometheus exposition of one moment. A registry of its own each time: the workers keep the counts, this only words
 * them. Metrics of a device that has a name have it as label `device`.
 */
export async function formatMetrics(observed: readonly Observed[]): Promise<string> {
  const registry = new Registry()
  const words = new MetricWords(registry)
  for (const one of observed) addDevice(words, one)
  addProcess(words)
  return registry.metrics()
}

type Labels = Readonly<Record<string, string | number>>

/** Metrics by name, each made when it is first used; the label `device` is put to all of a device that has a name. */
class MetricWords {
  readonly registry: Registry
  device = ''
  readonly #counters = new Map<string, Counter>()
  readonly #gauges = new Map<string, Gauge>()

  constructor(registry: Registry) {
    this.registry = registry
  }

  /** Labels with that of the device. */
  labels(labels: Labels = {}): Record<string, string | number> {
    return this.device === '' ? { ...labels } : { device: this.device, ...labels }
  }

  counter(name: string, help: string, value: number, labels: Labels = {}): void {
    this.declare(name, help, Object.keys(labels))
    this.#counters.get(name)!.inc(this.labels(labels), value)
  }

  /** A counter that may have no value yet. */
  declare(name: string, help: string, labelNames: readonly string[]): void {
    if (this.#counters.has(name)) return
    const registers = [this.registry]
    this.#counters.set(name, new Counter({ name, help, labelNames: ['device', ...labelNames], registers }))
  }

  gauge(name: string, help: string, value: number, labels: Labels = {}): void {
    let gauge = this.#gauges.get(name)
    if (gauge === undefined) {
      gauge = new Gauge({ name, help, labelNames: ['device', ...Object.keys(labels)], registers: [this.registry] })
      this.#gauges.set(name, gauge)
    }
    gauge.set(this.labels(labels), value)
  }
}

function addDevice(words: MetricWords, { config, observation: { snapshot, kernel, link } }: Observed): void {
  const { backend } = config
  words.device = config.name
  words.gauge('vring_info', 'Always 1: what the device was started with.', 1, {
    accessor: formatAccessor(config.accessor),
    backend: formatBackend(backend),
    version,
    node: process.versions.node,
  })
  words.declare('vring_dropped_packets_total', 'Frames that were dropped.', [...PAIR, 'reason'])
  for (const [pair, one] of snapshot.pairs.entries()) {
    for (const direction of ['tx', 'rx'] as const) {
      const labels = { pair, direction }
      const frames = 'Frames taken from the driver (tx) and given to it (rx).'
      words.counter('vring_packets_total', frames, one[`${direction}Frames`], labels)
      words.counter(
        'vring_bytes_total',
        'Bytes of those frames, without virtio-net headers.',
        one[`${direction}Bytes`],
        labels,
      )
      for (const [reason, dropped] of Object.entries(one[`${direction}Dropped`]))
        words.counter('vring_dropped_packets_total', 'Frames that were dropped.', dropped, { ...labels, reason })
    }
    words.gauge('vring_backend_up', '0 when the device of a queue pair was deleted.', one.gone ? 0 : 1, { pair })
  }
  if (link !== null) addLink(words, link)
  for (const { path, frames, lost } of snapshot.captures) {
    words.counter('vring_capture_frames_total', 'Frames that a capture holds.', frames, { file: path })
    words.counter('vring_capture_lost_frames_total', 'Frames that did not get into a capture.', lost, { file: path })
  }
  addProgram(words, snapshot, kernel)
  for (const [key, count] of Object.entries(snapshot.accesses)) {
    const dot = key.indexOf('.')
    const labels = { area: key.slice(0, dot), mode: key.slice(dot + 1) }
    words.counter('vring_ring_accesses_total', 'Accesses of ring metadata.', count, labels)
  }
  addQueues(words, snapshot)
  words.counter('vring_sessions_total', 'Drivers that connected.', snapshot.sessions)
  words.declare('vring_session_ends_total', 'Sessions that are over, by why.', ['reason'])
  for (const [reason, count] of Object.entries(snapshot.sessionEnds))
    words.counter('vring_session_ends_total', 'Sessions that are over, by why.', count, { reason })
  const refused = 'Requests that were refused, and what ended with it.'
  words.declare('vring_refused_requests_total', refused, ['request', 'ends'])
  for (const [key, count] of Object.entries(snapshot.refusals)) {
    const dot = key.lastIndexOf('.')
    const labels = { request: key.slice(0, dot), ends: key.slice(dot + 1) }
    words.counter('vring_refused_requests_total', refused, count, labels)
  }
  words.gauge('vring_connected', '1 while a driver is connected.', snapshot.session === null ? 0 : 1)
  words.gauge('vring_driver_memory_bytes', 'Memory that the driver shares.', snapshot.session?.memoryBytes ?? 0)
  for (const one of snapshot.threads) addThread(words, one, snapshot.threads.length)
}

/** Of a device with one thread there is no label that says which. */
function addThread(words: MetricWords, one: ThreadSnapshot, threads: number): void {
  const labels: Labels = threads === 1 ? {} : { thread: one.thread }
  const told = 'Times the driver was told of used buffers.'
  words.declare('vring_notifications_total', told, ['thread'])
  words.counter('vring_notifications_total', told, one.notifications, labels)
  const woken = 'Times a thread was woken, by a kick or another event.'
  words.declare('vring_wakeups_total', woken, ['thread'])
  words.counter('vring_wakeups_total', woken, one.wakeups, labels)
  const rounds = 'Duration of a round that did something; one round in 16 is timed.'
  addLatency(words, 'vring_round_seconds', rounds, one.round, labels)
  const wakes = "From a thread's wake-up to the end of the round that handed the driver's frames to the backend."
  addLatency(words, 'vring_wake_to_backend_seconds', wakes, one.wakeToBackend, labels)
}

function addProgram(words: MetricWords, snapshot: Snapshot, kernel: Observation['kernel']): void {
  for (const [verdict, frames] of Object.entries(snapshot.verdicts ?? {}))
    words.counter('vring_xdp_packets_total', 'Frames by verdict of the XDP program.', frames, { verdict })
  for (const [name, count] of Object.entries(snapshot.programCounts ?? {}))
    words.counter(
      'vring_xdp_program_packets_total',
      'What the XDP program in this process counted, by map and key.',
      count,
      { counter: name },
    )
  for (const [name, count] of Object.entries(kernel ?? {}))
    words.counter(
      'vring_xdp_kernel_packets_total',
      'What the XDP program in the kernel counted, by map and key.',
      count,
      {
        counter: name,
      },
    )
}

function addQueues(words: MetricWords, { queues, broken }: Snapshot): void {
  words.declare('vring_broken_queues_total', 'Rings that a driver broke.', ['reason'])
  for (const [reason, count] of Object.entries(broken))
    words.counter('vring_broken_queues_total', 'Rings that a driver broke.', count, { reason })
  words.gauge('vring_queues', 'Rings that run.', queues.length)
  const isBroken = queues.filter((queue) => queue.broken !== null).length
  words.gauge('vring_queues_broken', 'Rings that run and are broken.', isBroken)
  for (const { index, size, enabled } of queues) {
    const labels = { queue: index }
    words.gauge('vring_queue_size', 'Entries of a ring that runs.', size, labels)
    words.gauge('vring_queue_enabled', '1 while the driver lets a ring have effects.', enabled ? 1 : 0, labels)
  }
}

/** Quantiles were computed elsewhere: a summary of Prometheus, of which gauges and counters are made. */
function addLatency(words: MetricWords, name: string, help: string, latency: LatencySnapshot, labels: Labels): void {
  const { registry } = words
  const summary =
    (registry.getSingleMetric(name) as LatencySummary | undefined) ?? new LatencySummary(name, help, registry)
  summary.add(words.labels(labels), latency)
}

function addProcess(words: MetricWords): void {
  words.device = ''
  const { openFds, residentBytes } = processResources()
  words.gauge('process_resident_memory_bytes', 'Resident memory of the daemon.', residentBytes)
  words.gauge('process_open_fds', 'Open file descriptors of the daemon.', openFds)
  const { user, system } = process.cpuUsage()
  words.counter('process_cpu_seconds_total', 'CPU time of the daemon, all threads.', (user + system) / 1e6)
  words.gauge(
    'process_start_time_seconds',
    'When the daemon was started, seconds since 1970.',
    performance.timeOrigin / 1000,
  )
}

const PAIR = ['pair', 'direction']

/** What the kernel says of the interface: its drops are of frames that never reached a queue pair. */
function addLink(words: MetricWords, { name, up, place, hasProgram, info }: LinkObservation): void {
  const labels = { interface: name }
  words.gauge('vring_link_up', '1 while the interface is here and up.', up && place === 'here' ? 1 : 0, labels)
  if (info === null) return
  const program = '1 while the XDP program that was put on the interface is there.'
  if (hasProgram !== null) words.gauge('vring_link_program_attached', program, hasProgram ? 1 : 0, labels)
  const carrier = '1 while the interface has a carrier: of a tap, while a driver receives.'
  words.gauge('vring_link_carrier', carrier, info.carrier ? 1 : 0, labels)
  words.gauge('vring_link_mtu_bytes', 'MTU of the interface.', info.mtu, labels)
  const help = 'Frames that the kernel dropped at the interface, by its own directions: tx of a tap is to the driver.'
  for (const [direction, count] of [
    ['rx', info.stats.rxDropped],
    ['tx', info.stats.txDropped],
  ] as const)
    words.counter('vring_link_dropped_packets_total', help, count, { ...labels, direction })
}

/** A summary whose quantiles were computed elsewhere, of one device or several. */
class LatencySummary extends Summary<'quantile'> {
  readonly #latencies: { labels: Record<string, string | number>; latency: LatencySnapshot }[] = []

  constructor(name: string, help: string, registry: Registry) {
    super({ name, help, registers: [registry] })
  }

  add(labels: Record<string, string | number>, latency: LatencySnapshot): void {
    this.#latencies.push({ labels, latency })
  }

  override async get(): Promise<MetricObjectWithValues<MetricValueWithName<'quantile'>>> {
    const described = await super.get()
    return {
      ...described,
      values: this.#latencies.flatMap(({ labels, latency }) => quantiles(described.name, labels, latency)),
    }
  }
}

function quantiles(
  name: string,
  labels: Record<string, string | number>,
  { count, sum, p50, p90, p99, max }: LatencySnapshot,
): MetricValueWithName<'quantile'>[] {
  const of = [
    [0.5, p50],
    [0.9, p90],
    [0.99, p99],
    [1, max],
  ] as const
  return [
    ...(count === 0 ? [] : of.map(([quantile, ns]) => ({ labels: { ...labels, quantile }, value: ns / 1e9 }))),
    { metricName: `${name}_sum`, labels, value: sum / 1e9 },
    { metricName: `${name}_count`, labels, value: count },
  ] as MetricValueWithName<'quantile'>[]
}
