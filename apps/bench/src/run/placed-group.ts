import { CellProcess } from '../cell/cell-process.ts'
import { BASELINE, type CellSpec } from '../cell/cell-spec.ts'
import type { FinishAnswer, TrialAnswer } from '../cell/protocol.ts'
import { TestpmdBench } from '../drivers/testpmd.ts'
import { Peer } from '../peers/peer.ts'
import { type PeerName, peerCells, servesDriver } from '../peers/peer-names.ts'
import type { PeerPrograms } from '../peers/peer-programs.ts'
import type { ClassBounds } from '../placement/classes.ts'
import { type CoreWatch, isVirtual } from '../placement/core-watch.ts'
import { ConnectedPair } from '../slices/connected-pair.ts'
import { runSlices } from '../slices/run-slices.ts'
import type { Slice } from '../slices/slice.ts'
import { SlicePair } from '../slices/slice-pair.ts'
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
 * Runs the cells of one group against testpmd, and peers in turn with them, in slices. Every pair of driver and device
 * is connected before the first slice of a sitting and stays so to its end. Ctrl-C ends the slice that runs: those
 * before it count.
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
  const pairs: SlicePair<ConnectedPair>[] = []
  try {
    const place = { cpu, hugePages: bench.onHugePages }
    const cells = withSelf.map((spec) => {
      const device = (): VringDevice => new VringDevice(spec, { plugins, cpu, patienceMs, signal })
      return new SlicePair(() => new ConnectedPair(spec, device(), bench))
    })
    const besides = beside.map(({ name, spec }) => {
      const peer = (): Peer => new Peer(name, spec, programs.of(name), place, signal)
      return new SlicePair(() => new ConnectedPair(spec, peer(), bench))
    })
    pairs.push(...cells, ...besides)
    await connectAll(pairs, options)
    await slice(pairs, options)
    const ends = new Map<unknown, ServedDevice>()
    for (const pair of cells.slice(0, served.length))
      if (!signal.aborted) {
        options.progress(pair.label, 'verification')
        const { sitting } = pair
        await sitting.finish(async () => void ends.set(pair, await sitting.device.finish()))
      }
    const outcomes = cells.map((pair, index) => servedOutcome(withSelf[index]!, pair, ends.get(pair) ?? null))
    const reports = await Promise.all(besides.map(({ sitting }) => sitting.device.report().catch(() => null)))
    return {
      cells: outcomes.slice(0, served.length),
      self: outcomes[served.length] ?? null,
      peers: besides.map(({ label, slices, failure }, index): PeerOutcome => {
        return { ...beside[index]!, label, trials: slices, slices, report: reports[index]!, failure }
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
  const prepare = (process: CellProcess): Promise<void> => process.prepare(seed, plugins, quick, watch.cores)
  const pairs = withSelf.map(
    (spec) => new SlicePair(() => new ThreadsPair(new CellProcess(spec, { signal, patienceMs }), prepare)),
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
          : await pair.sitting.step((process) => {
              process.resume()
              return process.finish()
            }),
      )
    }
    const outcomes = pairs.map((pair, index) => threadsOutcome(withSelf[index]!, pair, finishes[index] ?? null))
    return { cells: outcomes.slice(0, specs.length), self: outcomes[specs.length] ?? null, peers: [] }
  } finally {
    await Promise.all(pairs.map((pair) => pair.close()))
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
    roundsASitting: times.roundsASitting,
    patienceMs: times.patienceMs,
    bounds,
    moves: isVirtual(),
    roundTrip: () => watch.roundTrip(),
    random,
    signal,
    progress,
  })
}

function servedOutcome(spec: CellSpec, { slices, failure }: SlicePair, end: ServedDevice | null): CellOutcome {
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

function threadsOutcome(spec: CellSpec, { slices, failure }: SlicePair, finish: FinishAnswer | null): CellOutcome {
  const trials = slices.map(({ trial }) => trial!)
  const other = trials.findIndex((trial) => !leftTheSame(trial, trials[0]!))
  const differs = other < 0 ? null : `result hash of trial ${other + 1} differs from that of the first one`
  return { spec, slices, trials, finish, counted: null, features: null, failure: failure ?? differs }
}
