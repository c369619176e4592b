import { type CaptureFile, PcapBackend } from '@vring/backend-pcap'
import {
  type BackendPlugin,
  DropBackend,
  type FrameSource,
  LoopbackBackend,
  type NetBackend,
  XdpBackend,
} from '@vring/vhost-net'
import { XDP_VERDICT_NAMES } from '@vring/xdp'
import type { CaptureSpec } from '../config/capture-spec.ts'
import { type CountedProgram, loadCountedProgram } from '../programs/counted-program.ts'
import type { ProgramSpec } from '../programs/program-spec.ts'
import { limitLines } from '../programs/trace-lines.ts'
import { startError } from '../serve-error.ts'
import { addCounts } from '../status/counts.ts'
import { openCapture } from './captures.ts'
import { type Datapath, never, noDrops, nothing, openAll, sink } from './datapath-ends.ts'

export function dropPath(queuePairs: number): Datapath {
  return { ...nothing, pairs: Array.from({ length: queuePairs }, () => sink(new DropBackend())) }
}

/** @throws ServeError naming --xdp */
export async function loadPrograms(
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

export function programPath(programs: readonly CountedProgram[]): Datapath {
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

export function loopbackPath(queuePairs: number): Datapath {
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
export function pluginPath(plugin: BackendPlugin, argument: string | null, queuePairs: number): Datapath {
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

/** A file for all pairs, or one for each. */
export function pcapPath(
  captures: readonly CaptureSpec[],
  owned: readonly number[],
  note: (line: string) => void,
): Datapath {
  const files = openAll(captures, (spec) => openCapture(spec, note))
  const fileOf = (pair: number): CaptureFile => files[captures.findIndex((spec) => (spec.pair ?? pair) === pair)]!
  const pairs = owned.map((pair) => sink(new PcapBackend(fileOf(pair), { interfaceName: `tx-${pair}` })))
  const sync = (): void => {
    for (const file of files) file.sync()
  }
  const close = (): void => {
    for (const file of files) file.close()
  }
  return { ...nothing, pairs, sessionEnded: sync, idle: sync, close }
}
