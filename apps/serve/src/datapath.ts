import { AfXdpGroup, AfXdpQueue, BUSY_MS } from '@vring/backend-af-xdp'
import { formatReplayReport, PcapBackend, ReplayClock, ReplayFile, ReplaySource } from '@vring/backend-pcap'
import { LinuxTapQueue } from '@vring/backend-tap/linux'
import { ETH_HEADER_BYTES, NET_HDR_MRG_BYTES } from '@vring/layout'
import type { Registry } from '@vring/registry'
import {
  type BackendPlugin,
  DropBackend,
  type FrameSource,
  LoopbackBackend,
  type NetBackend,
  XdpBackend,
} from '@vring/vhost-net'
import { XDP_VERDICT_NAMES } from '@vring/xdp'
import type { CaptureSpec } from './capture-spec.ts'
import { openCapture } from './captures.ts'
import { type CountedProgram, loadCountedProgram } from './counted-program.ts'
import { addCounts } from './counts.ts'
import { PacedReplay } from './paced-replay.ts'
import type { DatapathSpec, ProgramSpec } from './protocol.ts'
import { startError } from './serve-error.ts'
import { tapCarrier, tapOffloads } from './tap-offloads.ts'
import { limitLines } from './trace-lines.ts'

/** Of an Ethernet header with two VLAN tags, which a queue's longest frame has. */
const LINK_HEADER_BYTES = ETH_HEADER_BYTES + 8

/** Where the frames of a queue pair go and come from. */
export interface PairEnds {
  readonly backend: NetBackend
  /** Null: the driver receives nothing. */
  readonly source: FrameSource | null
  /** Frames for the driver that the backend dropped, by reason. */
  readonly rxDropped: () => Readonly<Record<string, number>>
  /** Its network device was deleted: its frames are dropped as `gone`. */
  readonly gone: () => boolean
}

type ReplaySpec = Extract<DatapathSpec, { kind: 'replay' }>

/** The backends of all queue pairs, in the thread that serves them. They outlive sessions: devices and counts stay. */
export interface Datapath {
  /** By pair; of those of other threads ends that nothing comes to. */
  readonly pairs: readonly PairEnds[]
  /**
   * Bytes after the Ethernet header that a frame may have now, unless it is a segment; Infinity: there is no network
   * device.
   */
  readonly mtu: () => number
  /** What people should know of it: one line, or null. */
  readonly note: string | null
  /** Frames by verdict, or null without a program in this thread. */
  verdicts(): Readonly<Record<string, number>> | null
  /** What a program in this thread counts itself, by map and key; null without one. */
  programCounts(): Readonly<Record<string, number>> | null
  /** The receive ring of a pair is started and enabled, or no longer: a pair that is not takes no frames. */
  setReceiving(pair: number, receiving: boolean): void
  /** A driver has negotiated these features. */
  negotiated(features: bigint): void
  /** A driver is gone. */
  sessionEnded(): void
  /** Nothing is to be done for a while: write out what has gathered. */
  idle(): void
  close(): void
}

/**
 * Builds the backends of the pairs of one thread.
 *
 * @param owned its pairs, ascending
 * @param note takes one line for people, whenever there is one; `debug` what programs print
 * @throws VringError when a file or a device can't be used; ServeError for a program
 */
export async function createDatapath(
  spec: DatapathSpec,
  queuePairs: number,
  owned: readonly number[],
  note: (line: string) => void,
  debug: (line: string) => void,
  registry: Registry,
): Promise<Datapath> {
  const path = await ownDatapath(spec, queuePairs, owned, note, debug, registry)
  const pairs = Array.from({ length: queuePairs }, (_, pair) => path.pairs[owned.indexOf(pair)] ?? ELSEWHERE)
  return { ...path, pairs, setReceiving: (pair, now) => path.setReceiving(owned.indexOf(pair), now) }
}

/** Its pairs are `owned`, in that order. */
async function ownDatapath(
  spec: DatapathSpec,
  allPairs: number,
  owned: readonly number[],
  note: (line: string) => void,
  debug: (line: string) => void,
  registry: Registry,
): Promise<Datapath> {
  const queuePairs = owned.length
  switch (spec.kind) {
    case 'drop':
      return spec.program === null
        ? dropPath(queuePairs)
        : programPath(await loadPrograms(spec.program, queuePairs, debug))
    case 'loopback':
      return loopbackPath(queuePairs)
    case 'pcap':
      return pcapPath(spec.capture, queuePairs, note)
    case 'replay':
      return replayPath(spec, allPairs, owned, note)
    case 'plugin':
      return pluginPath(registry.backend(spec.name), spec.argument, queuePairs)
    case 'tap':
      return tapPath(
        openAll(of(spec.queues, owned), (handle) => new LinuxTapQueue(handle)),
        spec.receiving,
      )
    case 'af-xdp':
      return afXdpPath(
        openAll(of(spec.queues, owned), (handle) => {
          const onBusy = (): void =>
            note(`${handle.name}: queue ${handle.queue} is in use; waiting for it, ${BUSY_MS} ms at most`)
          return new AfXdpQueue(handle, { onBusy })
        }),
      )
  }
}

function of<T>(all: readonly T[], owned: readonly number[]): T[] {
  return owned.map((pair) => all[pair]!)
}

const nothing = {
  mtu: () => Number.POSITIVE_INFINITY,
  note: null,
  verdicts: () => null,
  programCounts: () => null,
  setReceiving: () => {},
  negotiated: () => {},
  sessionEnded: () => {},
  idle: () => {},
  close: () => {},
}

const noDrops = (): Readonly<Record<string, number>> => ({})

const never = (): boolean => false

function sink(backend: NetBackend): PairEnds {
  return { backend, source: null, rxDropped: noDrops, gone: never }
}

/** Of the pairs of other threads. */
const ELSEWHERE: PairEnds = sink(new DropBackend())

function dropPath(queuePairs: number): Datapath {
  return { ...nothing, pairs: Array.from({ length: queuePairs }, () => sink(new DropBackend())) }
}

/** @throws ServeError naming --xdp */
async function loadPrograms(
  spec: ProgramSpec,
  queuePairs: number,
  debug: (line: string) => void,
): Promise<CountedProgram[]> {
  const trace = limitLines(debug)
  try {
    return await Promise.all(Array.from({ length: queuePairs }, () => loadCountedProgram(spec, trace)))
  } catch (error) {
    throw startError(`--xdp ${spec.kind === 'xdp1' ? 'xdp1' : spec.xdp}`, error)
  }
}

function programPath(programs: readonly CountedProgram[]): Datapath {
  const backends = programs.map(({ program }, rxQueueIndex) => new XdpBackend(program, { rxQueueIndex }))
  const total = (verdict: number): number => backends.reduce((sum, { verdicts }) => sum + verdicts[verdict]!, 0)
  return {
    ...nothing,
    pairs: backends.map(sink),
    verdicts: () => Object.fromEntries(XDP_VERDICT_NAMES.map((name, verdict) => [name, total(verdict)])),
    programCounts: () => {
      const counts: Record<string, number> = {}
      for (const one of programs) addCounts(counts, one.counts())
      return counts
    },
  }
}

function loopbackPath(queuePairs: number): Datapath {
  const loops = Array.from({ length: queuePairs }, () => new LoopbackBackend())
  return {
    ...nothing,
    pairs: loops.map((loop) => ({ backend: loop, source: loop, rxDropped: noDrops, gone: never })),
    sessionEnded: () => {
      for (const loop of loops) loop.clear()
    },
  }
}

/** A backend of each queue pair; one that receives is both ends of it. */
function pluginPath(plugin: BackendPlugin, argument: string | null, queuePairs: number): Datapath {
  const backends = openAll(Array.from({ length: queuePairs }), () => plugin.create(argument))
  return {
    ...nothing,
    pairs: backends.map((backend) => ({
      ...sink(backend),
      source: plugin.supports.receives ? (backend as NetBackend & FrameSource) : null,
    })),
    close: () => {
      for (const backend of backends) backend.close()
    },
  }
}

function pcapPath(spec: CaptureSpec, queuePairs: number, note: (line: string) => void): Datapath {
  const file = openCapture(spec, note)
  const pairs = Array.from({ length: queuePairs }, (_, pair) =>
    sink(new PcapBackend(file, { interfaceName: `tx-${pair}` })),
  )
  return { ...nothing, pairs, sessionEnded: () => file.sync(), idle: () => file.sync(), close: () => file.close() }
}

/** Frames of interface i of the capture go to pair i mod N, all by one clock; what drivers send is dropped. */
function replayPath(
  { path, replay, clock: cells }: ReplaySpec,
  allPairs: number,
  owned: readonly number[],
  note: (line: string) => void,
): Datapath {
  const file = ReplayFile.open(path)
  const clock = new ReplayClock(undefined, cells)
  // Every source reads the whole file: what the first of them finds is what all find, in every thread.
  const [told] = owned
  let said = ''
  const sources = owned.map((pair) => {
    const source = new ReplaySource(() => file.read(), {
      ...replay,
      headerBytes: NET_HDR_MRG_BYTES,
      clock,
      share: { index: pair, of: allPairs },
      onReport: (report) => {
        const line = `${path}: ${formatReplayReport(report, replay.maxGapMs)}`
        if (told === 0 && line !== said) note(line)
        said = line
      },
    })
    return new PacedReplay(source)
  })
  const pace =
    replay.pace === 'recorded' ? `recorded, gaps of at most ${replay.maxGapMs / 1000} s` : 'as fast as it is taken'
  return {
    ...nothing,
    note: told === 0 ? `replaying ${path}: pace ${pace}` : null,
    pairs: sources.map((source) => ({ ...sink(new DropBackend()), source })),
    sessionEnded: () => clock.pause(),
    close: () => {
      for (const source of sources) source.close()
      file.close()
    },
  }
}

/** Its carrier says whether a driver receives: without one the stack sends nothing into it. */
function tapPath(queues: readonly LinuxTapQueue[], receiving: Int32Array): Datapath {
  const { ioRefusal, handle } = queues[0]!
  tapCarrier(handle.fd, false)
  for (const queue of queues) queue.setReceiving(false)
  return {
    ...devicePath(queues),
    note: ioRefusal === null ? null : `without io_uring, by one call a frame: ${ioRefusal}`,
    setReceiving: (pair, now) => {
      // Pairs begin and end one after the other, whichever thread has them.
      const pairs = now ? Atomics.add(receiving, 0, 1) + 1 : Atomics.sub(receiving, 0, 1) - 1
      if (pairs === 0) tapCarrier(handle.fd, false)
      queues[pair]!.setReceiving(now)
      if (now && pairs === 1) tapCarrier(handle.fd, true)
    },
    negotiated: (features) => tapOffloads(handle.fd, features),
  }
}

/** Sources of pairs that receive take the frames of those that do not. */
function afXdpPath(queues: readonly AfXdpQueue[]): Datapath {
  const group = new AfXdpGroup(queues)
  const path = devicePath(queues)
  return {
    ...path,
    pairs: path.pairs.map((ends, pair) => ({ ...ends, source: group.sources[pair]! })),
    setReceiving: (pair, receiving) => group.setReceiving(pair, receiving),
    close: () => {
      group.close()
      path.close()
    },
  }
}

/** Queues of a Linux device: each is both ends of its pair. */
function devicePath(queues: readonly (LinuxTapQueue | AfXdpQueue)[]): Datapath {
  return {
    ...nothing,
    mtu: () => queues[0]!.handle.frameNow[0]! - LINK_HEADER_BYTES,
    pairs: queues.map((queue) => ({
      backend: queue,
      source: queue,
      rxDropped: () => queue.counters.rxDropped,
      gone: () => queue.gone,
    })),
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
