import { AfXdpQueue } from '@vring/backend-af-xdp'
import { CaptureFile, PcapBackend } from '@vring/backend-pcap'
import { LinuxTapQueue } from '@vring/backend-tap/linux'
import { DropBackend, type FrameSource, LoopbackBackend, type NetBackend, XdpBackend } from '@vring/vhost-net'
import { loadEbpf, XDP_VERDICT_NAMES, Xdp1, type XdpProgram } from '@vring/xdp'
import type { DatapathSpec, ProgramSpec } from './protocol.ts'
import { tapOffloads } from './tap-offloads.ts'

/** Where the frames of a queue pair go and come from. */
export interface PairEnds {
  readonly backend: NetBackend
  /** Null: the driver receives nothing. */
  readonly source: FrameSource | null
  /** Frames for the driver that the backend dropped, by reason. */
  readonly rxDropped: () => Readonly<Record<string, number>>
}

/** The backends of all queue pairs, in the thread that serves them. They outlive sessions: devices and counts stay. */
export interface Datapath {
  readonly pairs: readonly PairEnds[]
  /** Frames by verdict, or null without a program in this thread. */
  verdicts(): Readonly<Record<string, number>> | null
  /** A driver has negotiated these features. */
  negotiated(features: bigint): void
  /** A driver is gone. */
  sessionEnded(): void
  /** Nothing is to be done for a while: write out what has gathered. */
  idle(): void
  close(): void
}

/**
 * Builds the backends.
 *
 * @throws VringError when a file or a device can't be used
 */
export function createDatapath(spec: DatapathSpec, queuePairs: number): Datapath {
  switch (spec.kind) {
    case 'drop':
      return spec.program === null
        ? dropPath(queuePairs)
        : programPath(Array.from({ length: queuePairs }, () => loadProgram(spec.program!)))
    case 'loopback':
      return loopbackPath(queuePairs)
    case 'pcap':
      return pcapPath(spec.path, queuePairs)
    case 'tap':
      return tapPath(openAll(spec.queues, (handle) => new LinuxTapQueue(handle)))
    case 'af-xdp':
      return devicePath(openAll(spec.queues, (handle) => new AfXdpQueue(handle)))
  }
}

const nothing = {
  verdicts: () => null,
  negotiated: () => {},
  sessionEnded: () => {},
  idle: () => {},
  close: () => {},
}

const noDrops = (): Readonly<Record<string, number>> => ({})

function sink(backend: NetBackend): PairEnds {
  return { backend, source: null, rxDropped: noDrops }
}

function dropPath(queuePairs: number): Datapath {
  return { ...nothing, pairs: Array.from({ length: queuePairs }, () => sink(new DropBackend())) }
}

function loadProgram(spec: ProgramSpec): XdpProgram {
  return spec.kind === 'xdp1' ? new Xdp1() : loadEbpf(spec.bytes)
}

function programPath(programs: readonly XdpProgram[]): Datapath {
  const backends = programs.map((program, rxQueueIndex) => new XdpBackend(program, { rxQueueIndex }))
  const total = (verdict: number): number => backends.reduce((sum, { verdicts }) => sum + verdicts[verdict]!, 0)
  return {
    ...nothing,
    pairs: backends.map(sink),
    verdicts: () => Object.fromEntries(XDP_VERDICT_NAMES.map((name, verdict) => [name, total(verdict)])),
  }
}

function loopbackPath(queuePairs: number): Datapath {
  const loops = Array.from({ length: queuePairs }, () => new LoopbackBackend())
  return {
    ...nothing,
    pairs: loops.map((loop) => ({ backend: loop, source: loop, rxDropped: noDrops })),
    sessionEnded: () => {
      for (const loop of loops) loop.clear()
    },
  }
}

function pcapPath(path: string, queuePairs: number): Datapath {
  const file = new CaptureFile(path)
  const pairs = Array.from({ length: queuePairs }, (_, pair) =>
    sink(new PcapBackend(file, { interfaceName: `tx-${pair}` })),
  )
  return { ...nothing, pairs, sessionEnded: () => file.sync(), idle: () => file.sync(), close: () => file.close() }
}

function tapPath(queues: readonly LinuxTapQueue[]): Datapath {
  return { ...devicePath(queues), negotiated: (features) => tapOffloads(queues[0]!.handle.fd, features) }
}

/** Queues of a Linux device: each is both ends of its pair. */
function devicePath(queues: readonly (LinuxTapQueue | AfXdpQueue)[]): Datapath {
  return {
    ...nothing,
    pairs: queues.map((queue) => ({ backend: queue, source: queue, rxDropped: () => queue.counters.rxDropped })),
    close: () => {
      for (const queue of queues) queue.close()
    },
  }
}

/** Opens one after the other; when one fails the others are closed. */
function openAll<Handle, Queue extends { close(): void }>(
  handles: readonly Handle[],
  open: (handle: Handle) => Queue,
): Queue[] {
  const queues: Queue[] = []
  try {
    for (const handle of handles) queues.push(open(handle))
    return queues
  } catch (error) {
    for (const queue of queues) queue.close()
    throw error
  }
}
