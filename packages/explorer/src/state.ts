import type { Machine } from './machine.ts'
import type { MemoryModel } from './operation.ts'
import type { ThreadNode } from './replayed-thread.ts'

/** A store that its thread has made and others do not see; `location` -1 is a wmb. */
export interface BufferedStore {
  readonly location: number
  readonly value: number
  readonly label: string
  readonly commit: ((machine: Machine) => void) | undefined
}

/** How a state was reached: a chain to the initial one, shared by all states after it. */
export interface Trace {
  readonly parent: Trace | null
  readonly thread: number
  readonly label: string
  readonly result: number
}

/** Everything that threads share, and where each of them is, at one moment. */
export interface State {
  /** Committed value of each location. */
  values: number[]
  threads: ThreadNode[]
  /** Stores of each thread that are not committed. Empty arrays under `sc`. */
  buffers: (readonly BufferedStore[])[]
  /** `weak` only: by location, values that some thread may still read, oldest first, without the committed one. */
  old: (readonly number[])[]
  /** `weak` only: by thread, by location, how many of {@link old} it can't read any more. */
  floors: (readonly number[])[]
  /** Ring accesses of others since each thread began to wait. */
  waits: number[]
  trace: Trace | null
  /** Schedules that lead here. */
  paths: number
  /** Thread of the last step, and preemptions so far; kept when preemptions are bounded. */
  last: number
  preemptions: number
}

/** Text that is equal for equal states; `bounded`: where preemptions are counted. */
export function stateKey(model: MemoryModel, state: State, bounded: boolean): string {
  const numbers = state.values.slice()
  for (const { id } of state.threads) numbers.push(id & 0x7fff, id >>> 15)
  numbers.push(...state.waits)
  if (bounded) numbers.push(state.last + 1, state.preemptions)
  let key = String.fromCharCode(...numbers)
  if (model === 'sc') return key
  for (const buffer of state.buffers) key += `|${buffer.map(({ location, value }) => `${location}=${value}`).join()}`
  if (model === 'weak') key += `#${history(state)}`
  return key
}

/** What each thread may still read of the past; what no thread can read any more is left out. */
function history(state: State): string {
  const parts: string[] = []
  for (const [location, old] of state.old.entries()) {
    if (old === undefined || old.length === 0) continue
    const floors = state.threads.map((node, thread) =>
      node.pending === null ? old.length : (state.floors[thread]?.[location] ?? 0),
    )
    const lowest = Math.min(...floors)
    if (lowest === old.length) continue
    parts.push(`${location}:${old.slice(lowest).join()}/${floors.map((floor) => floor - lowest).join()}`)
  }
  return parts.join(';')
}
