import { groupsOf } from '../cell-groups.ts'
import type { CellSpec } from '../cell-spec.ts'
import { finishEnvironment, startEnvironment } from '../environment.ts'
import { EXIT_INTERRUPTED } from '../exit-codes.ts'
import { Peer } from '../peers/peer.ts'
import { isPeerOf, type PeerName } from '../peers/peer-names.ts'
import { PeerPrograms } from '../peers/peer-programs.ts'
import { type CellResult, type PeerResult, RESULTS_SCHEMA, type Results } from '../results.ts'
import { ratioInterval, seededRandom } from '../stats/index.ts'
import { cellResult } from './cell-result.ts'
import { comparePairs, type Pair, pairsOfGroup } from './compare-cells.ts'
import { hashDisagreements } from './hash-check.ts'
import { Progress } from './progress.ts'
import { type GroupOutcome, runGroup } from './run-group.ts'
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
  const { seed, trials } = options
  const random = seededRandom(seed)
  const startedAt = new Date().toISOString()
  const environment = startEnvironment()
  const groups = groupsOf(specs)
  const beside = groups.flatMap(([first]) => options.peers.filter((name) => isPeerOf(name, first!)))
  const processes = specs.length + beside.length + (options.noiseFloor ? 1 : 0)
  const progress = new Progress(processes * (trials + 1) + specs.length)
  const programs = new PeerPrograms(options.peers)
  const interruption = new AbortController()
  const { signal } = interruption
  const interrupt = (): void => {
    // Twice means now.
    if (signal.aborted) process.exit(EXIT_INTERRUPTED)
    interruption.abort()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  const cells: CellResult[] = []
  const peers: PeerResult[] = []
  const pairs: Pair[] = []
  const disagreements: string[] = []
  const failedPeers: string[] = []
  let noiseFloor: Results['noiseFloor'] = null
  try {
    for (const [index, group] of groups.entries()) {
      if (signal.aborted) break
      const groupOptions = {
        ...options,
        random,
        noiseFloor: options.noiseFloor && index === 0,
        progress: (what: string, does: string) => progress.step(what, does),
        signal,
      }
      const first = group[0]!
      const groupPeers = options.peers
        .filter((name) => isPeerOf(name, first))
        .map((name) => new Peer(name, first, programs.of(name), signal))
      const runCells = first.driver === 'testpmd' ? runTestpmdGroup : runGroup
      const outcome = await runCells(group, groupPeers, groupOptions).finally(() => {
        for (const peer of groupPeers) peer.close()
      })
      const results = outcome.cells.map((cell) => cellResult(cell, random))
      peers.push(...groupPeers.flatMap((peer) => peer.result(results, random) ?? []))
      for (const { label, failure } of groupPeers) if (failure !== null) failedPeers.push(`${label}: ${failure}`)
      cells.push(...results)
      pairs.push(...pairsOfGroup(results))
      disagreements.push(...hashDisagreements(outcome.cells))
      if (index === 0) noiseFloor = noiseOf(outcome, seed)
    }
  } finally {
    progress.clear()
    programs.close()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
  const results: Results = {
    schema: RESULTS_SCHEMA,
    startedAt,
    command: ['vring-bench', ...options.command],
    seed,
    environment: finishEnvironment(environment),
    cells,
    peers,
    published: [],
    claims: [],
    noiseFloor,
    comparisons: comparePairs(pairs, random),
    complete: !signal.aborted,
    ...(options.shard === null ? {} : { shard: options.shard }),
    residentBytes: process.resourceUsage().maxRSS * 1024,
  }
  return { results, disagreements, failedPeers, interrupted: signal.aborted }
}

/** Ratio of a cell to itself in another process: what is no difference. */
function noiseOf({ cells, self }: GroupOutcome, seed: number): Results['noiseFloor'] {
  const same = cells.find(({ spec }) => spec.id === self?.spec.id)
  if (self === null || same === undefined || self.trials.length === 0 || same.trials.length === 0) return null
  const rates = ({ trials }: typeof same): number[] => trials.map(({ packets, seconds }) => packets / seconds)
  const { low, high } = ratioInterval(rates(same), rates(self), seededRandom(seed))
  return { ratioLow: low, ratioHigh: high }
}
