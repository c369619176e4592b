import { CellInterrupted } from '../cell-process.ts'
import { BASELINE, type CellSpec } from '../cell-spec.ts'
import { DeviceProcess } from '../drivers/device-process.ts'
import { DEVICE_CPU, TestpmdBench } from '../drivers/testpmd.ts'
import { interleaved } from '../order.ts'
import type { Peer } from '../peers/peer.ts'
import type { ServedTrial, TestpmdRequest } from '../testpmd-cell.ts'
import type { CellOutcome, GroupOptions, GroupOutcome } from './run-group.ts'

/** A driver of its own starts for each trial: it settles this long before it is measured. */
const WARM_UP_MS = 500

/** One accessor's process and what it served. */
interface RunningCell {
  readonly spec: CellSpec
  readonly process: DeviceProcess<TestpmdRequest, ServedTrial>
  readonly trials: ServedTrial[]
  failure: string | null
}

/**
 * Runs the cells of one group against testpmd, and peers in turn with them: one driver and one device at a time, each on
 * its CPU. Ctrl-C ends the trial that runs: those before it count.
 *
 * @throws BenchError with exit code 4 when testpmd or a CPU is missing
 */
export async function runTestpmdGroup(
  specs: readonly CellSpec[],
  peers: readonly Peer[],
  options: GroupOptions,
): Promise<GroupOutcome> {
  const { durationMs, plugins, patienceMs, signal } = options
  const served = specs.filter(({ accessor }) => accessor !== BASELINE)
  const bench = new TestpmdBench()
  const running = (spec: CellSpec): RunningCell => {
    return { spec, process: new DeviceProcess('testpmd-cell', signal, patienceMs), trials: [], failure: null }
  }
  const cells = served.map(running)
  const self = options.noiseFloor ? served.slice(0, 1).map(running) : []
  const all = [...cells, ...self]
  const times = { warmUpMs: WARM_UP_MS, durationMs }
  try {
    const rounds = interleaved(all.length + peers.length, options.trials, options.random)
    for (const [round, order] of rounds.entries())
      for (const index of order) {
        if (signal.aborted) break
        const cell = all[index]
        const peer = peers[index - all.length]
        options.progress(cell?.spec.id ?? peer?.label ?? '', `trial ${round + 1} of ${options.trials}`)
        if (cell?.failure === null) await serveOnce(cell, bench, { ...times, plugins })
        if (peer?.failure === null) await measurePeer(peer, served[0]!, bench, times)
      }
    return { cells: cells.map(outcome), self: self.map(outcome)[0] ?? null }
  } finally {
    for (const { process } of all) process.close()
    bench.close()
  }
}

/** One trial, against a driver, or for a peer without one beside a driver that sends into nothing. */
async function measurePeer(
  peer: Peer,
  spec: CellSpec,
  bench: TestpmdBench,
  times: Pick<TestpmdRequest, 'warmUpMs' | 'durationMs'>,
): Promise<void> {
  const place = { cpu: DEVICE_CPU, hugePages: bench.onHugePages }
  if (peer.name !== 'dpdk') await bench.beside(spec, () => peer.trial({ ...place, socket: '' }, times, () => {}))
  else
    await peer.against(() =>
      bench.trial(spec, (socket, onListening) => peer.trial({ ...place, socket }, times, onListening)),
    )
}

async function serveOnce(
  cell: RunningCell,
  bench: TestpmdBench,
  options: Pick<TestpmdRequest, 'warmUpMs' | 'durationMs' | 'plugins'>,
): Promise<void> {
  const { spec } = cell
  try {
    const trial = await bench.trial(spec, (socket, onListening) =>
      cell.process.serve({ spec, socket, cpu: DEVICE_CPU, ...options }, onListening),
    )
    cell.trials.push(trial)
  } catch (error) {
    if (error instanceof CellInterrupted) return
    cell.failure = error instanceof Error ? error.message : String(error)
    // It may still wait for a driver, on the CPU of the others.
    cell.process.close()
  }
}

function outcome({ spec, trials, failure }: RunningCell): CellOutcome {
  const last = trials.at(-1)
  return {
    spec,
    trials: trials.map(({ packets, seconds, hash, nsPerPacket }) => ({
      type: 'trial',
      packets,
      seconds,
      hash,
      nsPerPacket,
    })),
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
    counted: null,
    failure,
  }
}
