import { Worker } from 'node:worker_threads'
import type { FuzzReport, FuzzTask } from './fuzz-worker.ts'
import type { FuzzResult } from './fuzzer.ts'
import { bundle, instrument } from './instrument.ts'
import { currentInput, watchedInput } from './watched-input.ts'

/** How long one input may take, in ms: a verifier that follows a loop to its limit takes seconds, counted ones more. */
const HANG_MS = 60_000
const LOOK_MS = 500
const INPUT_BYTES_MAX = 1 << 20

export interface RunOptions {
  readonly seed: number
  readonly timeMs: number
  readonly corpus: readonly Uint8Array[]
  /** Told of each input that passed a new edge. */
  readonly onFresh?: (input: Uint8Array, executions: number, edges: number) => void
}

/** A run, with what ended it as text. */
export interface TargetRun extends Omit<FuzzResult, 'failure'> {
  readonly unit: string
  readonly failure: { readonly input: Uint8Array; readonly text: string } | null
}

/** Instruments a target and fuzzes it in a thread of its own; an input that does not come back is a failure too. */
export async function runTarget(name: string, options: RunOptions): Promise<TargetRun> {
  const { file, edges } = await instrument(name)
  const watched = watchedInput(INPUT_BYTES_MAX)
  const { seed, timeMs, corpus, onFresh } = options
  const task: FuzzTask = { file, edges, corpus, seed, timeMs, watched }
  const worker = new Worker(await bundle('fuzz/engine/fuzz-worker.ts'), { workerData: task })
  let seen = -1
  let since = performance.now()
  const found: Uint8Array[] = []
  try {
    return await new Promise<TargetRun>((resolve, reject) => {
      const end = (text: string): void => {
        const input = currentInput(watched)
        const executions = watched.count[0]!
        const none = { target: name, seed, operations: 0, edges: 0, corpus: found, unit: '' }
        resolve({ ...none, executions, failure: { input, text } })
      }
      const timer = setInterval(() => {
        const count = Atomics.load(watched.count, 0)
        const now = performance.now()
        if (count !== seen || count === 0) {
          seen = count
          since = now
        } else if (now - since > HANG_MS) end(`no end within ${HANG_MS / 1000} s`)
      }, LOOK_MS)
      worker.on('message', (report: FuzzReport) => {
        if (report.kind === 'fresh') {
          found.push(report.input)
          onFresh?.(report.input, report.executions, report.edges)
          return
        }
        const { result, error } = report
        const failure = result.failure === null ? null : { input: result.failure.input, text: error ?? '' }
        resolve({ ...result, failure })
      })
      worker.on('error', (error) => (watched.count[0] === 0 ? reject(error) : end(error.stack ?? error.message)))
      worker.on('exit', () => {
        clearInterval(timer)
        end('the thread has ended')
      })
    })
  } finally {
    await worker.terminate()
  }
}
