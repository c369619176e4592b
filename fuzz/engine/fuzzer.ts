import type { EdgeMap } from './edge-map.ts'
import { Mutator } from './mutator.ts'
import type { FuzzTarget } from './target.ts'

/** When a run ends, and what it says on the way. */
export interface FuzzLimits {
  readonly seed: number
  readonly timeMs: number
  /** Inputs at most; default: until the time is over. */
  readonly executions?: number
  /** Called before each input: a watching process can tell which one never came back. */
  readonly onInput?: (input: Uint8Array) => void
  /** Called when an input passed an edge as none before. */
  readonly onFresh?: (input: Uint8Array, result: FuzzResult) => void
}

/** What a run did. */
export interface FuzzResult {
  readonly target: string
  readonly seed: number
  /** Inputs that were run. */
  executions: number
  /** Operations of the target, see its `unit`. */
  operations: number
  /** Edges that were passed. */
  edges: number
  /** Inputs in use: each passes an edge as no other. */
  readonly corpus: Uint8Array[]
  /** What ended the run early, or null. */
  failure: { readonly input: Uint8Array; readonly error: unknown } | null
}

/** How many inputs a clock look is for. */
const INPUTS_PER_LOOK = 16
/** The newest inputs of a corpus are taken as often as all together. */
const NEWEST = 16

/**
 * Runs a target on inputs of a corpus and on changed ones; an input that passes an edge as none before joins the corpus.
 * Ends with the first failure.
 */
export async function fuzz(
  target: FuzzTarget,
  map: EdgeMap,
  corpus: readonly Uint8Array[],
  limits: FuzzLimits,
): Promise<FuzzResult> {
  const { seed, timeMs, executions = Number.POSITIVE_INFINITY, onInput, onFresh } = limits
  const result: FuzzResult = {
    target: target.name,
    seed,
    executions: 0,
    operations: 0,
    edges: 0,
    corpus: [],
    failure: null,
  }
  const mutator = new Mutator(seed, target.dictionary ?? [], target.maxBytes)
  const end = performance.now() + timeMs
  const run = async (input: Uint8Array): Promise<boolean> => {
    onInput?.(input)
    result.executions++
    try {
      const operations = target.run(input)
      result.operations += typeof operations === 'number' ? operations : await operations
    } catch (error) {
      result.failure = { input, error }
    }
    return map.take()
  }

  for (const input of [...target.seeds, ...corpus]) {
    if (await run(input)) result.corpus.push(input)
    if (result.failure !== null) break
  }
  if (result.corpus.length === 0) result.corpus.push(new Uint8Array(0))
  result.edges = map.covered
  while (result.failure === null && result.executions < executions) {
    if (result.executions % INPUTS_PER_LOOK === 0 && performance.now() >= end) break
    const { corpus: inputs } = result
    const newest = Math.min(NEWEST, inputs.length)
    const chosen = mutator.below(2) === 0 ? inputs.length - 1 - mutator.below(newest) : mutator.below(inputs.length)
    const input = mutator.mutate(inputs[chosen]!, inputs[mutator.below(inputs.length)]!)
    if (!(await run(input)) || result.failure !== null) continue
    inputs.push(input)
    result.edges = map.covered
    onFresh?.(input, result)
  }
  return result
}
