import { serialize } from 'node:v8'
import { barrierCpu, plainCpu } from '@vring/accessor'
import { dieWithParent } from '@vring/linux'
import type { Registry } from '@vring/registry'
import { InprocRig } from '../drivers/inproc.ts'
import { ThreadsRig } from '../drivers/inproc-threads.ts'
import { BaselineRig } from '../in-process/baseline.ts'
import { countSteps } from '../in-process/count-steps.ts'
import { digest } from '../in-process/lap-state.ts'
import type { Rig } from '../in-process/rig.ts'
import { runTrial } from '../in-process/trial.ts'
import { verifyCell } from '../in-process/verify-cell.ts'
import { loadTried } from '../load-registry.ts'
import type { Cores } from '../placement/core-watch.ts'
import { BASELINE, type CellSpec } from './cell-spec.ts'
import type {
  Answer,
  CountAnswer,
  CountRequest,
  FinishAnswer,
  PrepareRequest,
  Request,
  TrialAnswer,
} from './protocol.ts'
import { WARM_UP_PIECE_MS, warmUp } from './warm-up.ts'

/**
 * The process of one cell: builds it, warms it up, runs trials and verifies, as it is told over IPC. One accessor lives in
 * it, so V8 sees one shape at every call of the datapath.
 */

/** Pieces of warm-up of a smoke run: the optimising compiler is done, the rate may not be flat. */
const QUICK_PIECES = 4

interface LiveCell {
  readonly spec: CellSpec
  readonly seed: number
  readonly plugins: readonly string[]
  readonly rig: Rig
  /** The last one. */
  trial: TrialAnswer | null
}

let live: LiveCell | null = null

async function answer(request: Request): Promise<Answer> {
  if (request.type === 'prepare') return prepare(request)
  if (request.type === 'count') return count(request)
  if (live === null) throw new Error(`${request.type} before prepare`)
  return request.type === 'trial' ? trial(live, request.durationMs) : finish(live)
}

async function prepare({ spec, seed, plugins, quick, cores }: PrepareRequest): Promise<Answer> {
  // One that is stopped between its slices does not see that its channel closed.
  if (cores !== null) dieWithParent()
  const registry = await loadTried(plugins)
  const rig = await createRig(spec, registry, seed, cores)
  makeBytesNatively()
  live = { spec, seed, plugins, rig, trial: null }
  const piece = (): number => {
    const { packets, seconds } = runTrial(rig, WARM_UP_PIECE_MS)
    return packets / seconds
  }
  return { type: 'prepared', warmUpPieces: warmUp(piece, quick ? QUICK_PIECES : undefined) }
}

/**
 * The first Buffer that Node makes natively, such as of the first message that a process sends, is a Uint8Array whose
 * prototype is changed. V8 then drops the code that took Uint8Arrays to have theirs for ever. That is all of the
 * datapath. The first trial would compile it again, 50 ms of it under its clock. So it happens before the warm-up.
 */
function makeBytesNatively(): void {
  serialize(null)
}

async function createRig(spec: CellSpec, registry: Registry, seed: number, cores: Cores | null): Promise<Rig> {
  if (spec.accessor === BASELINE) return new BaselineRig(spec, seed)
  const cpu = spec.barrier === 1 ? barrierCpu : plainCpu
  if (spec.driver !== 'inproc-threads') return new InprocRig(spec, registry, { seed, cpu })
  const rig = new ThreadsRig(spec, registry, seed, { cpu, cores })
  await rig.ready()
  return rig
}

function trial(cell: LiveCell, durationMs: number): TrialAnswer {
  const result = runTrial(cell.rig, durationMs)
  cell.trial = result
  return result
}

async function finish({ spec, seed, plugins, rig, trial }: LiveCell): Promise<FinishAnswer> {
  const accesses = rig.accesses()
  const residentBytes = process.resourceUsage().maxRSS * 1024
  const lapHash = trial?.hash ?? ''
  const lapRingHash = trial?.ringHash ?? ''
  let hash = ''
  let ringHash = ''
  if (spec.accessor !== BASELINE) {
    const { delivered, ring } = verifyCell(spec, await loadTried(plugins), seed)
    hash = digest(lapHash, delivered)
    ringHash = digest(lapRingHash, ring)
  }
  const { steps, payloadSteps } = await count({ spec, seed, plugins })
  return { type: 'finished', hash, ringHash, lapHash, lapRingHash, steps, payloadSteps, accesses, residentBytes }
}

async function count({ spec, seed, plugins }: Omit<CountRequest, 'type'>): Promise<CountAnswer> {
  if (spec.accessor === BASELINE || spec.hooks === 0) return { type: 'counted', steps: {}, payloadSteps: {} }
  // What the kernel does with payload whatever this cell does: copy header and frame apart, as in 2019.
  const copied: CellSpec = { ...spec, payload: 'copy-split' }
  const { metadata, payload } = countSteps(copied, await loadTried(plugins), seed)
  return { type: 'counted', steps: metadata, payloadSteps: payload }
}

// Ctrl-C reaches the whole process group; the orchestrator decides what becomes of its cells.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(0))
process.on('message', (request: Request) => {
  answer(request)
    .catch(
      (error: unknown): Answer => ({ type: 'failed', reason: error instanceof Error ? error.message : String(error) }),
    )
    .then((reply) => process.send?.(reply))
})
