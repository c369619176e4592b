import { CellFailure, CellInterrupted } from '../cell/cell-failure.ts'
import { CellProcess } from '../cell/cell-process.ts'
import type { CellSpec } from '../cell/cell-spec.ts'
import type { CountAnswer, FinishAnswer, TrialAnswer } from '../cell/protocol.ts'
import { FreePeer } from '../peers/free-peer.ts'
import { Peer } from '../peers/peer.ts'
import type { PeerName } from '../peers/peer-names.ts'
import type { PeerPrograms } from '../peers/peer-programs.ts'
import { interleaved } from '../plan/order.ts'
import type { Random } from '../stats/index.ts'
import type { CellOutcome, GroupOutcome, PeerOutcome } from './group-outcome.ts'
import { leftTheSame } from './hash-check.ts'
import { twiceRun } from './noise-floor.ts'

/** What a group of cells is run with. */
export interface GroupOptions {
  readonly trials: number
  readonly durationMs: number
  readonly seed: number
  readonly plugins: readonly string[]
  readonly random: Random
  /** Run the first accessor a second time, against itself. */
  readonly noiseFloor: boolean
  readonly quick: boolean
  /** Told before each step. */
  readonly progress: (what: string, does: string) => void
  /** How late a cell may be with an answer, in ms, before it counts as hung. */
  readonly patienceMs: number
  /** Ctrl-C: stop and give what there is. */
  readonly signal: AbortSignal
}

/** After Ctrl-C: counting takes a fraction of a second, of which most is the start of a process. */
const COUNT_PATIENCE_MS = 10_000

/** One cell while its group runs. */
class RunningCell {
  readonly spec: CellSpec
  readonly trials: TrialAnswer[] = []
  finish: FinishAnswer | null = null
  counted: CountAnswer | null = null
  failure: string | null = null
  readonly #process: CellProcess

  constructor(spec: CellSpec, options: Pick<GroupOptions, 'patienceMs' | 'signal'>) {
    this.spec = spec
    this.#process = new CellProcess(spec, options)
  }

  /** Does one step; a cell that fails keeps its reason and takes no further part. */
  async step(work: (process: CellProcess) => Promise<void>): Promise<void> {
    if (this.failure !== null) return
    try {
      await work(this.#process)
    } catch (error) {
      if (error instanceof CellInterrupted) return
      if (!(error instanceof CellFailure)) throw error
      this.failure = error.message
      this.#process.close()
    }
  }

  /**
   * Counts the steps of a cell that was interrupted. It does so in a process of its own, as that of the cell may have
   * been ended in the middle of a trial. One that fails at it stays without.
   */
  async countLate({ seed, plugins, patienceMs }: Pick<GroupOptions, 'seed' | 'plugins' | 'patienceMs'>): Promise<void> {
    if (this.failure !== null || this.finish !== null || this.spec.hooks === 0) return
    const counting = new CellProcess(this.spec, { patienceMs: Math.min(patienceMs, COUNT_PATIENCE_MS) })
    try {
      this.counted = await counting.count(seed, plugins)
    } catch (error) {
      if (!(error instanceof CellFailure)) throw error
    } finally {
      counting.close()
    }
  }

  outcome(): CellOutcome {
    const { spec, trials, finish, counted, failure } = this
    return { spec, trials, slices: null, finish, counted, features: null, failure }
  }

  close(): void {
    this.#process.close()
  }
}

/**
 * Runs the cells of one group and peers beside them: a process each, trials interleaved A B B A, one running at a time. A
 * cell that dies or hangs fails with its reason; the others go on. Ctrl-C ends the trial that runs: those before it count.
 */
export async function runGroup(
  specs: readonly CellSpec[],
  peerNames: readonly PeerName[],
  programs: PeerPrograms,
  options: GroupOptions,
): Promise<GroupOutcome> {
  const { signal, patienceMs, progress, random } = options
  const [against] = options.noiseFloor ? twiceRun(specs) : []
  // All at once: loading modules overlaps. They sit idle until they are asked.
  const cells = specs.map((spec) => new RunningCell(spec, { signal, patienceMs }))
  const self = against === undefined ? null : new RunningCell(against, { signal, patienceMs })
  const all = self === null ? cells : [...cells, self]
  const anywhere = { cpu: -1, hugePages: false }
  const peers = peerNames.map((name) => new FreePeer(new Peer(name, specs[0]!, programs.of(name), anywhere, signal)))
  try {
    for (const peer of peers) {
      if (signal.aborted) break
      progress(peer.peer.label, 'start')
      await peer.start()
    }
    for (const cell of all) {
      if (signal.aborted) break
      progress(cell.spec.id, 'warm-up')
      await cell.step((process) => process.prepare(options.seed, options.plugins, options.quick))
    }
    const rounds = interleaved(all.length + peers.length, options.trials, random)
    for (const [round, order] of rounds.entries())
      for (const index of order) {
        if (signal.aborted) break
        const peer = peers[index - all.length]
        if (peer !== undefined) {
          progress(peer.peer.label, `trial ${round + 1} of ${options.trials}`)
          await peer.trial(options.durationMs)
          continue
        }
        const cell = all[index]!
        progress(cell.spec.id, `trial ${round + 1} of ${options.trials}`)
        await cell.step(async (process) => {
          const trial = await process.trial(options.durationMs)
          cell.trials.push(trial)
          // Kept, so that the run knows it for a disagreement; see hash-check.ts.
          if (!leftTheSame(trial, cell.trials[0]!))
            throw new CellFailure(`result hash of trial ${cell.trials.length} differs from that of the first one`)
        })
      }
    for (const cell of cells) {
      if (signal.aborted) break
      progress(cell.spec.id, 'verification')
      await cell.step(async (process) => {
        cell.finish = await process.finish()
      })
    }
    if (signal.aborted) await Promise.all(cells.map((cell) => cell.countLate(options)))
    return {
      cells: cells.map((cell) => cell.outcome()),
      self: self?.outcome() ?? null,
      peers: await Promise.all(peers.map(peerOutcome)),
    }
  } finally {
    for (const cell of all) cell.close()
    for (const { peer } of peers) peer.close()
  }
}

async function peerOutcome({ peer, trials, failure }: FreePeer): Promise<PeerOutcome> {
  const { name, label, spec } = peer
  const report = failure === null ? await peer.report().catch(() => null) : null
  return { name, label, spec, trials, slices: null, report, failure }
}
