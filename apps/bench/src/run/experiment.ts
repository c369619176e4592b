import { groupsOf } from '../cell/cell-groups.ts'
import type { CellSpec } from '../cell/cell-spec.ts'
import { isPeerOf, type PeerName, peerCells } from '../peers/peer-names.ts'
import { PeerPrograms } from '../peers/peer-programs.ts'
import type { ClassBounds } from '../placement/classes.ts'
import { type Cores, CoreWatch } from '../placement/core-watch.ts'
import { finishEnvironment, startEnvironment } from '../results/environment.ts'
import { type CellResult, type PeerResult, RESULTS_SCHEMA, type Results } from '../results/results.ts'
import { SLICES_A_ROW, type SliceTimes } from '../slices/slice-times.ts'
import { type Random, seededRandom } from '../stats/index.ts'
import { cellResult } from './cell-result.ts'
import { comparePairs, pairsOfGroup } from './compare-cells.ts'
import type { GroupOutcome } from './group-outcome.ts'
import { hashDisagreements } from './hash-check.ts'
import { Interruption } from './interruption.ts'
import { type NoiseFloor, noiseFloorOf } from './noise-floor.ts'
import { peerResult } from './peer-result.ts'
import { isPlaced, type PlacedOptions, runTestpmdGroup, runThreadsGroup } from './placed-group.ts'
import { Progress } from './progress.ts'
import { runGroup } from './run-group.ts'

/** How an experiment is run. */
export interface ExperimentOptions {
  readonly command: readonly string[]
  readonly seed: number
  readonly trials: number
  readonly durationMs: number
  /** How late a cell may be with an answer, in ms, before it counts as hung. */
  readonly patienceMs: number
  readonly plugins: readonly string[]
  readonly quick: boolean
  readonly noiseFloor: boolean
  /** `i/n`: these cells are part of a larger run. */
  readonly shard: string | null
  /** Programs to measure in the device's place, in turn with the cells that they compare with. */
  readonly peers: readonly PeerName[]
  /** CPUs of driver and device where each has one; null: there are no two. */
  readonly cores: Cores | null
  readonly bounds: ClassBounds
  /** Of cells whose driver has a core of its own. */
  readonly times: SliceTimes
}

export interface Experiment {
  readonly results: Results
  /** Cells whose results differ from their group's; empty when all agree. */
  readonly disagreements: readonly string[]
  /** Peers that gave no result, or not to the end, with the reason. */
  readonly failedPeers: readonly string[]
  readonly interrupted: boolean
}

/**
 * Runs cells, group by group, and gives what was measured: also when it was interrupted, then as far as it
 * came.
 */
export async function runExperiment(specs: readonly CellSpec[], options: ExperimentOptions): Promise<Experiment> {
  const random = seededRandom(options.seed)
  const startedAt = new Date().toISOString()
  const environment = startEnvironment()
  const groups = groupsOf(specs)
  const progress = new Progress(stepCount(groups, options))
  const programs = new PeerPrograms(options.peers)
  const interruption = new Interruption()
  const { signal } = interruption
  const measured: MeasuredGroup[] = []
  const { bounds, times } = options
  let watch: CoreWatch | null = null
  try {
    watch = specs.some(isPlaced) ? await CoreWatch.start(options.cores) : null
    for (const [index, group] of groups.entries()) {
      if (signal.aborted) break
      // Of each kind the first one: what chance does to a chunk is not what it does to a slice.
      const placed = isPlaced(group[0]!)
      const noiseFloor = options.noiseFloor && groups.findIndex(([first]) => isPlaced(first!) === placed) === index
      const step = (what: string, does: string): void => progress.step(what, does)
      measured.push(
        await measureGroup(group, programs, watch, { ...options, random, noiseFloor, progress: step, signal }),
      )
    }
  } finally {
    progress.clear()
    programs.close()
    await watch?.close()
    interruption.release()
  }
  const noiseFloor = joinedFloor(measured.flatMap((group) => group.noiseFloor ?? []))
  const results: Results = {
    schema: RESULTS_SCHEMA,
    startedAt,
    command: ['vring-bench', ...options.command],
    seed: options.seed,
    environment: finishEnvironment(environment),
    cells: measured.flatMap(({ cells }) => cells),
    peers: measured.flatMap(({ peers }) => peers),
    published: [],
    claims: [],
    noiseFloor,
    ...(watch === null ? {} : { placement: asPlain(watch.result({ bounds, ...times })) }),
    comparisons: comparePairs(
      measured.flatMap(({ cells }) => pairsOfGroup(cells, noiseFloor)),
      random,
    ),
    complete: !signal.aborted,
    ...(options.shard === null ? {} : { shard: options.shard }),
    residentBytes: process.resourceUsage().maxRSS * 1024,
  }
  return {
    results,
    disagreements: measured.flatMap(({ outcome }) => hashDisagreements(outcome.cells)),
    failedPeers: measured.flatMap(({ failedPeers }) => failedPeers),
    interrupted: signal.aborted,
  }
}

/** Each process warms up and runs its trials, or the slices that a row needs; each cell is verified. */
function stepCount(groups: readonly (readonly CellSpec[])[], options: ExperimentOptions): number {
  const { peers, noiseFloor, trials, times } = options
  return groups.reduce((steps, group) => {
    const names = peers.filter((name) => isPeerOf(name, group[0]!))
    const beside = names.reduce((sum, name) => sum + peerCells(name, group).length, 0)
    const rounds = isPlaced(group[0]!) ? times.needed : trials
    return steps + (group.length + beside + (noiseFloor ? 1 : 0)) * (rounds + 1) + group.length
  }, 0)
}

/** One group as a run's results have it. */
interface MeasuredGroup {
  readonly outcome: GroupOutcome
  readonly cells: readonly CellResult[]
  readonly peers: readonly PeerResult[]
  readonly failedPeers: readonly string[]
  readonly noiseFloor: NoiseFloor | null
}

async function measureGroup(
  group: readonly CellSpec[],
  programs: PeerPrograms,
  watch: CoreWatch | null,
  options: Omit<PlacedOptions, 'watch'> & Pick<ExperimentOptions, 'peers' | 'seed'>,
): Promise<MeasuredGroup> {
  const { random, times } = options
  const first = group[0]!
  const names = options.peers.filter((name) => isPeerOf(name, first))
  const outcome = await runAnyGroup(group, names, programs, watch, options)
  // A run that was asked for fewer slices than are evidence shows them, without a verdict.
  const needed = Math.min(times.needed, SLICES_A_ROW)
  const cells = outcome.cells.map((cell) => cellResult(cell, needed, random))
  return {
    outcome,
    cells,
    peers: outcome.peers.flatMap((peer) => peerResult(peer, cells, needed, random) ?? []),
    failedPeers: outcome.peers.flatMap(({ label, failure }) => (failure === null ? [] : [`${label}: ${failure}`])),
    noiseFloor: noiseFloorOf(outcome, needed, ownRandom(options)),
  }
}

function runAnyGroup(
  group: readonly CellSpec[],
  names: readonly PeerName[],
  programs: PeerPrograms,
  watch: CoreWatch | null,
  options: Omit<PlacedOptions, 'watch'>,
): Promise<GroupOutcome> {
  if (watch === null || !isPlaced(group[0]!)) return runGroup(group, names, programs, options)
  const placed = { ...options, watch }
  return group[0]!.driver === 'testpmd'
    ? runTestpmdGroup(group, names, programs, placed)
    : runThreadsGroup(group, placed)
}

/** Resamples of the noise floor do not move those of what is compared. */
function ownRandom({ seed }: Pick<ExperimentOptions, 'seed'>): Random {
  return seededRandom(seed)
}

/** That of the first group, and the classes of the first one that has any. */
function joinedFloor(floors: readonly NoiseFloor[]): NoiseFloor | null {
  const [first] = floors
  if (first === undefined) return null
  const classes = floors.find((floor) => floor.classes !== undefined)?.classes
  return { ...first, ...(classes === undefined ? {} : { classes }) }
}

function asPlain({ cores, notes, ...rest }: ReturnType<CoreWatch['result']>): NonNullable<Results['placement']> {
  return { cores: cores === null ? null : [...cores], notes: [...notes], ...rest }
}
