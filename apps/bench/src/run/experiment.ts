import { groupsOf } from '../cell-groups.ts'
import type { CellSpec } from '../cell-spec.ts'
import { finishEnvironment, startEnvironment } from '../environment.ts'
import { Peer } from '../peers/peer.ts'
import { isPeerOf, type PeerName } from '../peers/peer-names.ts'
import { PeerPrograms } from '../peers/peer-programs.ts'
import { type CellResult, type PeerResult, RESULTS_SCHEMA, type Results } from '../results.ts'
import { ratioInterval, seededRandom } from '../stats/index.ts'
import { cellResult } from './cell-result.ts'
import { comparePairs, pairsOfGroup } from './compare-cells.ts'
import { hashDisagreements } from './hash-check.ts'
import { Interruption } from './interruption.ts'
import { Progress } from './progress.ts'
import { type GroupOptions, type GroupOutcome, runGroup } from './run-group.ts'
import { runTestpmdGroup } from './testpmd-group.ts'

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
  try {
    for (const [index, group] of groups.entries()) {
      if (signal.aborted) break
      const noiseFloor = options.noiseFloor && index === 0
      const step = (what: string, does: string): void => progress.step(what, does)
      measured.push(await measureGroup(group, programs, { ...options, random, noiseFloor, progress: step, signal }))
    }
  } finally {
    progress.clear()
    programs.close()
    interruption.release()
  }
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
    noiseFloor: measured[0] === undefined ? null : noiseOf(measured[0].outcome, options.seed),
    comparisons: comparePairs(
      measured.flatMap(({ cells }) => pairsOfGroup(cells)),
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

/** Each process warms up and runs its trials; each cell is verified. */
function stepCount(groups: readonly (readonly CellSpec[])[], { peers, noiseFloor, trials }: ExperimentOptions): number {
  const cells = groups.flat().length
  const beside = groups.flatMap(([first]) => peers.filter((name) => isPeerOf(name, first!))).length
  return (cells + beside + (noiseFloor ? 1 : 0)) * (trials + 1) + cells
}

/** One group as a run's results have it. */
interface MeasuredGroup {
  readonly outcome: GroupOutcome
  readonly cells: readonly CellResult[]
  readonly peers: readonly PeerResult[]
  readonly failedPeers: readonly string[]
}

async function measureGroup(
  group: readonly CellSpec[],
  programs: PeerPrograms,
  options: GroupOptions & Pick<ExperimentOptions, 'peers'>,
): Promise<MeasuredGroup> {
  const { random, signal } = options
  const first = group[0]!
  const peers = options.peers
    .filter((name) => isPeerOf(name, first))
    .map((name) => new Peer(name, first, programs.of(name), signal))
  const runCells = first.driver === 'testpmd' ? runTestpmdGroup : runGroup
  const outcome = await runCells(group, peers, options).finally(() => {
    for (const peer of peers) peer.close()
  })
  const cells = outcome.cells.map((cell) => cellResult(cell, random))
  return {
    outcome,
    cells,
    peers: peers.flatMap((peer) => peer.result(cells, random) ?? []),
    failedPeers: peers.flatMap(({ label, failure }) => (failure === null ? [] : [`${label}: ${failure}`])),
  }
}

/** Ratio of a cell to itself in another process: what is no difference. */
function noiseOf({ cells, self }: GroupOutcome, seed: number): Results['noiseFloor'] {
  const same = cells.find(({ spec }) => spec.id === self?.spec.id)
  if (self === null || same === undefined || self.trials.length === 0 || same.trials.length === 0) return null
  const rates = ({ trials }: typeof same): number[] => trials.map(({ packets, seconds }) => packets / seconds)
  const { low, high } = ratioInterval(rates(same), rates(self), seededRandom(seed))
  return { ratioLow: low, ratioHigh: high }
}
