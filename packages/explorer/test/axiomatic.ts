import type { FinalState, LitmusProgram, MemoryModel } from '../src/index.ts'

/** A load or a store of a candidate execution; the initial stores of variables have thread -1. */
interface Event {
  readonly thread: number
  /** Position in its thread, fences counted. */
  readonly at: number
  readonly write: boolean
  readonly variable: string
  readonly value: number
  readonly register: string
}

/** Pairs of events by index: `relation[a]` holds `b` when a comes before b. */
type Relation = readonly ReadonlySet<number>[]

/**
 * Every final state that a memory model allows, by its axioms and by nothing that the explorer is made of: each way of
 * choosing for each load the store that it reads from, and for each variable the order of its stores, is an execution; it
 * is allowed unless an axiom finds a cycle in it.
 */
export function axiomaticOutcomes(program: LitmusProgram, model: MemoryModel): FinalState[] {
  const events = eventsOf(program)
  const variables = [...new Set(events.map(({ variable }) => variable))]
  const indices = (keep: (event: Event) => boolean): number[] =>
    events.flatMap((event, index) => (keep(event) ? [index] : []))
  const loads = indices(({ write }) => !write)
  const found = new Map<string, FinalState>()
  const orders = product(
    variables.map((name) => {
      const initial = indices(({ thread, variable }) => thread < 0 && variable === name)
      const stores = indices(({ thread, write, variable }) => thread >= 0 && write && variable === name)
      return permutations(stores).map((order) => [...initial, ...order])
    }),
  )
  const sources = product(
    loads.map((load) => indices(({ write, variable }) => write && variable === events[load]!.variable)),
  )
  const preserved = preservedOrder(program, events, model)
  for (const order of orders)
    for (const source of sources) {
      const from = new Map(loads.map((load, index) => [load, source[index]!]))
      if (!isAllowed(events, order, from, preserved, model)) continue
      const state = Object.fromEntries(
        [
          ...loads.map((load) => [events[load]!.register, events[from.get(load)!]!.value] as const),
          ...variables.map((name, index) => [name, events[order[index]!.at(-1)!]!.value] as const),
        ].sort(([a], [b]) => (a < b ? -1 : 1)),
      )
      found.set(JSON.stringify(state), state)
    }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, state]) => state)
}

function eventsOf(program: LitmusProgram): Event[] {
  const events: Event[] = []
  const variables = new Set<string>()
  for (const [thread, steps] of program.entries())
    for (const [at, step] of steps.entries()) {
      if (!('variable' in step)) continue
      variables.add(step.variable)
      const { variable } = step
      if (step.kind === 'store') events.push({ thread, at, write: true, variable, value: step.value, register: '' })
      else events.push({ thread, at, write: false, variable, value: 0, register: step.register })
    }
  for (const variable of variables) events.push({ thread: -1, at: -1, write: true, variable, value: 0, register: '' })
  return events
}

/** Which pairs of a thread's events no other thread can see the other way round. */
function preservedOrder(program: LitmusProgram, events: readonly Event[], model: MemoryModel): Relation {
  return relation(events.length, (a, b) => {
    const [first, second] = [events[a]!, events[b]!]
    if (first.thread !== second.thread || first.thread < 0 || first.at >= second.at) return false
    if (model === 'sc') return true
    const steps = program[first.thread]!
    const between = steps.slice(first.at + 1, second.at)
    if (between.some(({ kind }) => kind === 'mb')) return true
    if (first.write && !second.write) return false
    if (model === 'tso' || !first.write === second.write) return true
    // A release is a wmb before its store, an acquire an rmb after its load.
    return second.write
      ? steps.slice(first.at + 1, second.at + 1).some((step) => step.kind === 'wmb' || isRelease(step))
      : steps.slice(first.at, second.at).some((step) => step.kind === 'rmb' || isAcquire(step))
  })
}

const isRelease = (step: LitmusProgram[number][number]): boolean => step.kind === 'store' && step.release
const isAcquire = (step: LitmusProgram[number][number]): boolean => step.kind === 'load' && step.acquire

function isAllowed(
  events: readonly Event[],
  order: readonly (readonly number[])[],
  from: ReadonlyMap<number, number>,
  preserved: Relation,
  model: MemoryModel,
): boolean {
  const place = new Map(order.flatMap((stores) => stores.map((store, index) => [store, index] as const)))
  const sameVariable = (a: number, b: number): boolean => events[a]!.variable === events[b]!.variable
  /** Communication: a store before what reads from it, before later stores; a load before the stores it does not see. */
  const communicates = (a: number, b: number, external: boolean): boolean => {
    if (!sameVariable(a, b)) return false
    const [first, second] = [events[a]!, events[b]!]
    if (first.write && second.write) return place.get(a)! < place.get(b)!
    if (first.write) return from.get(b) === a && !(external && first.thread === second.thread)
    return second.write && place.get(from.get(a)!)! < place.get(b)!
  }
  const inProgram = (a: number, b: number): boolean =>
    events[a]!.thread >= 0 && events[a]!.thread === events[b]!.thread && events[a]!.at < events[b]!.at
  const coherent = relation(
    events.length,
    (a, b) => (sameVariable(a, b) && inProgram(a, b)) || communicates(a, b, false),
  )
  if (!isAcyclic(coherent)) return false
  return isAcyclic(relation(events.length, (a, b) => preserved[a]!.has(b) || communicates(a, b, model !== 'sc')))
}

function relation(count: number, holds: (a: number, b: number) => boolean): Relation {
  const all = Array.from({ length: count }, (_, index) => index)
  return all.map((a) => new Set(all.filter((b) => a !== b && holds(a, b))))
}

function isAcyclic(pairs: Relation): boolean {
  const state = new Uint8Array(pairs.length)
  const visit = (event: number): boolean => {
    if (state[event] !== 0) return state[event] === 2
    state[event] = 1
    for (const next of pairs[event]!) if (!visit(next)) return false
    state[event] = 2
    return true
  }
  return pairs.every((_, event) => visit(event))
}

function permutations(values: readonly number[]): number[][] {
  if (values.length === 0) return [[]]
  return values.flatMap((value) =>
    permutations(values.filter((other) => other !== value)).map((rest) => [value, ...rest]),
  )
}

function product<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((all, list) => all.flatMap((one) => list.map((value) => [...one, value])), [[]])
}
