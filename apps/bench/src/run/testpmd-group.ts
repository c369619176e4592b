import { BASELINE, type CellSpec } from '../cell-spec.ts'
import { type PeerTrial, TestpmdBench, TestpmdCell } from '../drivers/testpmd.ts'
import { interleaved } from '../order.ts'
import type { PeerResult } from '../results.ts'
import { medianInterval } from '../stats/index.ts'
import type { ServedTrial } from '../testpmd-cell.ts'
import type { CellOutcome, GroupOptions, GroupOutcome } from './run-group.ts'

/** A driver of its own starts for each trial: it settles this long before it is measured. */
const WARM_UP_MS = 500

export interface TestpmdGroupOptions extends GroupOptions {
  /** Measure DPDK's own vhost in the same run, in turn with the accessors. */
  readonly peer: boolean
}

/** One accessor's process and what it served. */
interface RunningCell {
  readonly cell: TestpmdCell
  readonly trials: ServedTrial[]
  failure: string | null
}

/**
 * Runs the cells of one group against testpmd, and DPDK's vhost in turn with them: one driver and one device at a time,
 * each on its CPU.
 *
 * @throws BenchError with exit code 4 when testpmd or a CPU is missing
 */
export async function runTestpmdGroup(
  specs: readonly CellSpec[],
  options: TestpmdGroupOptions,
): Promise<GroupOutcome & { peers: PeerResult[] }> {
  const served = specs.filter(({ accessor }) => accessor !== BASELINE)
  const bench = new TestpmdBench()
  const cells = served.map((spec): RunningCell => ({ cell: new TestpmdCell(spec), trials: [], failure: null }))
  const peerTrials: PeerTrial[] = []
  let peerFailure: string | null = null
  try {
    const count = cells.length + (options.peer ? 1 : 0)
    for (const [round, order] of interleaved(count, options.trials, options.random).entries())
      for (const index of order) {
        if (options.interrupted()) break
        const running = cells[index]
        options.progress(`${running?.cell.spec.id ?? 'dpdk net_vhost'}: trial ${round + 1} of ${options.trials}`)
        try {
          const { durationMs, plugins } = options
          if (running === undefined) {
            if (peerFailure === null) peerTrials.push(await bench.peerTrial(served[0]!, WARM_UP_MS, durationMs))
          } else if (running.failure === null)
            running.trials.push(await bench.trial(running.cell, { warmUpMs: WARM_UP_MS, durationMs, plugins }))
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error)
          if (running === undefined) peerFailure = reason
          else running.failure = reason
        }
      }
    if (peerFailure !== null && !options.interrupted()) throw new Error(`peer dpdk: ${peerFailure}`)
    return { cells: cells.map(outcome), self: null, peers: peerResults(peerTrials, options) }
  } finally {
    for (const { cell } of cells) cell.close()
    bench.close()
  }
}

function outcome({ cell, trials, failure }: RunningCell): CellOutcome {
  const last = trials.at(-1)
  return {
    spec: cell.spec,
    trials: trials.map(({ packets, seconds, hash }) => {
      // A driver of its own clock gives a rate, not single packets.
      const ns = (1e9 * seconds) / packets
      return { type: 'trial', packets, seconds, hash, nsPerPacket: { median: ns, p99: ns } }
    }),
    finish:
      last === undefined
        ? null
        : {
            type: 'finished',
            hash: last.hash,
            lapHash: last.hash,
            steps: {},
            payloadSteps: {},
            accesses: last.accesses,
            residentBytes: last.residentBytes,
          },
    failure,
  }
}

function peerResults(trials: readonly PeerTrial[], { random }: TestpmdGroupOptions): PeerResult[] {
  if (trials.length === 0) return []
  const rates = trials.map(({ packets, seconds }) => packets / seconds / 1e6)
  const role = 'net_vhost, rxonly, in place of this device'
  return [{ name: 'DPDK', version: trials[0]!.version, role, mpps: medianInterval(rates, random), trials: rates }]
}
