import { CellProcess } from '../cell-process.ts'
import { BASELINE, type CellSpec } from '../cell-spec.ts'
import { TestpmdBench } from '../drivers/testpmd.ts'
import { Peer } from '../peers/peer.ts'
import { type PeerName, peerCells, servesDriver } from '../peers/peer-names.ts'
import type { PeerPrograms } from '../peers/peer-programs.ts'
import type { ClassBounds } from '../placement/classes.ts'
import { type CoreWatch, isVirtual } from '../placement/core-watch.ts'
import type { FinishAnswer, TrialAnswer } from '../protocol.ts'
import { ConnectedPair } from '../slices/connected-pair.ts'
import { runSlices } from '../slices/run-slices.ts'
import type { Slice, SlicePair } from '../slices/slice.ts'
import type { SliceTimes } from '../slices/slice-times.ts'
import { ThreadsPair } from '../slices/threads-pair.ts'
import { type ServedDevice, VringDevice } from '../slices/vring-device.ts'
import type { CellOutcome, GroupOutcome, PeerOutcome } from './group-outcome.ts'
import { leftTheSame } from './hash-check.ts'
import { twiceRun } from './noise-floor.ts'
import type { GroupOptions } from './run-group.ts'

/** What a group of cells whose drivers have a core of their own is run with. */
export interface PlacedOptions extends GroupOptions {
  readonly watch: CoreWatch
  readonly times: SliceTimes
  readonly bounds: ClassBounds
}

/** Does the driver of this cell run on another core than the device? */
export function isPlaced({ driver }: Pick<CellSpec, 'driver'>): boolean {
  return driver !== 'inproc'
}

/**
 * Runs the cells of one group against testpmd, and peers in turn with them, in slices. Every pair of driver and device is
 * connected before the first slice and stays so. Ctrl-C ends the slice that runs: those before it count.
 *
 * @throws BenchError with exit code 4 when testpmd is missing
 */
export async function runTestpmdGroup(
  specs: readonly CellSpec[],
  peers: readonly PeerName[],
  programs: PeerPrograms,
  options: PlacedOptions,
): Promise<GroupOutcome> {
  const { watch, plugins, patienceMs, signal } = options
  const served = specs.filter(({ accessor }) => accessor !== BASELINE)
  const [driverCpu, cpu] = watch.cores!
  const withSelf = [...served, ...(options.noiseFloor ? twiceRun(served) : [])]
  const beside = peers.flatMap((name) => peerCells(name, served).map((spec) => ({ name, spec })))
  const processes = withSelf.length + beside.length + beside.filter(({ name }) => servesDriver(name)).length
  const bench = new TestpmdBench(driverCpu, processes)
  const pairs: ConnectedPair[] = []
  try {
    const devices = withSelf.map((spec) => new VringDevice(spec, { plugins, cpu, patienceMs, signal }))
    const place = { cpu, hugePages: bench.onHugePages }
    const programsOf = beside.map(({ name, spec }) => new Peer(name, spec, programs.of(name), place, signal))
    const cells = devices.map((device) => new ConnectedPair(device.spec, device, bench))
    const besides = programsOf.map((peer) => new ConnectedPair(peer.spec, peer, bench))
    pairs.push(...cells, ...besides)
    await connectAll(pairs, options)
    await slice(pairs, options)
    const ends = new Map<ConnectedPair, ServedDevice>()
    for (const [index, pair] of cells.entries())
      if (!signal.aborted && index < served.length) {
        options.progress(pair.label, 'verification')
        await pair.finish(async () => void ends.set(pair, await devices[index]!.finish()))
      }
    const outcomes = cells.map((pair, index) => servedOutcome(withSelf[index]!, pair, ends.get(pair) ?? null))
    const reports = await Promise.all(programsOf.map((peer) => peer.report().catch(() => null)))
    return {
      cells: outcomes.slice(0, served.length),
      self: outcomes[served.length] ?? null,
      peers: programsOf.map(({ name, label, spec }, index): PeerOutcome => {
        const { slices, failure } = besides[index]!
        return { name, label, spec, trials: slices, slices, report: reports[index]!, failure }
      }),
    }
  } finally {
    await Promise.all(pairs.map((pair) => pair.close()))
    bench.close()
  }
}

/** The same of drivers in a thread of their own. */
export async function runThreadsGroup(specs: readonly CellSpec[], options: PlacedOptions): Promise<GroupOutcome> {
  const { patienceMs, signal, seed, plugins, quick, watch } = options
  const withSelf = [...specs, ...(options.noiseFloor ? twiceRun(specs) : [])]
  const processes = withSelf.map((spec) => new CellProcess(spec, { signal, patienceMs }))
  const pairs = processes.map(
    (process) => new ThreadsPair(process, (one) => one.prepare(seed, plugins, quick, watch.cores)),
  )
  try {
    await connectAll(pairs, options)
    await slice(pairs, options)
    const finishes: (FinishAnswer | null)[] = []
    for (const [index, pair] of pairs.entries()) {
      if (index >= specs.length) break
      if (!signal.aborted) options.progress(pair.label, 'verification')
      finishes.push(
        signal.aborted
          ? null
          : await pair.step((process) => {
              process.resume()
              return process.finish()
            }),
      )
    }
    const outcomes = pairs.map((pair, index) => threadsOutcome(withSelf[index]!, pair, finishes[index] ?? null))
    return { cells: outcomes.slice(0, specs.length), self: outcomes[specs.length] ?? null, peers: [] }
  } finally {
    for (const process of processes) process.close()
  }
}

async function connectAll(pairs: readonly SlicePair[], { signal, progress }: PlacedOptions): Promise<void> {
  for (const pair of pairs) {
    if (signal.aborted) return
    progress(pair.label, 'warm-up')
    await pair.connect()
  }
}

function slice(pairs: readonly SlicePair[], options: PlacedOptions): Promise<void> {
  const { watch, times, bounds, random, signal, progress } = options
  return runSlices(pairs, {
    durationMs: times.sliceMs,
    needed: times.needed,
    patienceMs: times.patienceMs,
    bounds,
    moves: isVirtual(),
    roundTrip: () => watch.roundTrip(),
    random,
    signal,
    progress,
  })
}

function servedOutcome(spec: CellSpec, { slices, failure }: ConnectedPair, end: ServedDevice | null): CellOutcome {
  return {
    spec,
    slices,
    trials: slices.map((one) => asTrial(one, end?.hash ?? '')),
    finish:
      end === null
        ? null
        : {
            type: 'finished',
            hash: end.hash,
            lapHash: end.hash,
            ringHash: '',
            lapRingHash: '',
            steps: {},
            payloadSteps: {},
            accesses: end.accesses,
            residentBytes: end.residentBytes,
          },
    counted: null,
    features: end?.features ?? null,
    failure,
  }
}

/** A slice has one figure of ns a packet: its own. */
function asTrial({ packets, seconds }: Slice, hash: string): TrialAnswer {
  const ns = (1e9 * seconds) / packets
  return { type: 'trial', packets, seconds, hash, ringHash: '', nsPerPacket: { median: ns, p99: ns } }
}

function threadsOutcome(spec: CellSpec, { slices, failure }: ThreadsPair, finish: FinishAnswer | null): CellOutcome {
  const trials = slices.map(({ trial }) => trial!)
  const other = trials.findIndex((trial) => !leftTheSame(trial, trials[0]!))
  const differs = other < 0 ? null : `result hash of trial ${other + 1} differs from that of the first one`
  return { spec, slices, trials, finish, counted: null, features: null, failure: failure ?? differs }
}
