import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { COUNTERS_NAME, EdgeMap } from './edge-map.ts'
import { type FuzzResult, fuzz } from './fuzzer.ts'
import type { FuzzTarget } from './target.ts'
import { publishInput, type WatchedInput } from './watched-input.ts'

/** What the watching thread tells. */
export interface FuzzTask {
  /** The target's bundle, and how many counters it needs. */
  readonly file: string
  readonly edges: number
  readonly corpus: readonly Uint8Array[]
  readonly seed: number
  readonly timeMs: number
  readonly watched: WatchedInput
}

/** What it is told. */
export type FuzzReport =
  | { readonly kind: 'fresh'; readonly input: Uint8Array; readonly executions: number; readonly edges: number }
  | { readonly kind: 'end'; readonly result: FuzzResult & { readonly unit: string }; readonly error: string | null }

const task = workerData as FuzzTask
const map = new EdgeMap(task.edges)
Object.assign(globalThis, { [COUNTERS_NAME]: map.counters })
const { target } = (await import(pathToFileURL(task.file).href)) as { target: FuzzTarget }
const tell = (report: FuzzReport): void => parentPort!.postMessage(report)
const result = await fuzz(target, map, task.corpus, {
  seed: task.seed,
  timeMs: task.timeMs,
  onInput: (input) => publishInput(task.watched, input),
  onFresh: (input, { executions, edges }) => tell({ kind: 'fresh', input, executions, edges }),
})
const { failure } = result
const error =
  failure === null ? null : failure.error instanceof Error ? (failure.error.stack ?? '') : String(failure.error)
// What was thrown need not be clonable.
tell({
  kind: 'end',
  result: { ...result, unit: target.unit, failure: failure === null ? null : { input: failure.input, error: null } },
  error,
})
// Servers of a target would keep the thread alive.
process.exit(0)
