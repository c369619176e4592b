import { describeValue } from './describe-value.ts'
import type { Exploration, ExploreOptions, Finding, RandomSchedules, ScheduleStep } from './exploration.ts'
import { ExploredWorld } from './explored-world.ts'
import type { MemoryModel } from './operation.ts'
import { OutcomeTable } from './outcome-table.ts'
import { randomStream } from './random-stream.ts'
import type { PreparedScenario, Scenario, ScenarioThread } from './scenario.ts'
import { pctScheduler, type Scheduler, type Successor, uniformScheduler } from './schedulers.ts'
import type { State, Trace } from './state.ts'

/**
 * Runs a scenario under every interleaving of its threads, or until the first finding.
 *
 * States are searched layer by layer, a layer being all states one step further, so the first finding has the shortest
 * schedule. Schedules that lead to the same state are one from there on, and a step that commutes with all others is
 * not reordered. These are the reductions, and they are exact. Each step copies the few values of a state; the threads'
 * code runs only once for each distinct history of a thread.
 */
export function explore(scenario: Scenario, options: ExploreOptions = {}): Exploration {
  const search = new Search(scenario, options)
  const { random } = options
  return random === undefined ? search.exhaust() : search.walk(random)
}

class Search {
  readonly #world: ExploredWorld
  readonly #threads: readonly ScenarioThread[]
  readonly #prepared: PreparedScenario
  readonly #outcomes = new OutcomeTable()
  readonly #initial: State
  readonly #waitLimit: number
  readonly #preemptions: number | undefined
  readonly #maxStates: number
  readonly #model: MemoryModel
  readonly #checkReplays: boolean
  #steps = 0
  readonly #accesses = { mapped: 0, user: 0 }
  /** By thread: it has accessed a ring. */
  readonly #reached: boolean[] = []
  #finding: Finding | null = null

  constructor(scenario: Scenario, options: ExploreOptions) {
    this.#model = options.memoryModel ?? 'sc'
    this.#waitLimit = options.waitLimit ?? 1
    this.#preemptions = options.preemptions
    this.#maxStates = options.maxStates ?? 2_000_000
    this.#checkReplays = options.checkReplays === true
    this.#world = new ExploredWorld(this.#model, scenario.structural ?? [])
    this.#world.runner.enter('setup')
    this.#prepared = scenario.prepare(this.#world)
    const { threads } = this.#prepared
    this.#threads = threads
    const { machine, runner } = this.#world
    const nodes = threads.map((thread) => runner.start(thread.run))
    this.#initial = {
      ...machine.state,
      threads: nodes,
      buffers: threads.map(() => []),
      old: [],
      floors: threads.map(() => []),
      waits: threads.map(() => 0),
    }
    if (machine.found !== null) this.#record(this.#initial, null)
    for (const { error } of nodes) if (error !== null) this.#recordError(error, this.#initial, null)
  }

  exhaust(): Exploration {
    const bounded = this.#preemptions !== undefined
    const { machine } = this.#world
    let layer: Iterable<State> = [this.#initial]
    let states = 1
    let schedules = 0
    let depth = 0
    for (let more = true; more && this.#finding === null; ) {
      const next = new Map<string, State>()
      for (const state of layer) {
        const steps = this.#expand(state, ({ state: copy }) => {
          const key = machine.key(copy, bounded)
          const same = next.get(key)
          if (same === undefined) next.set(key, copy)
          else same.paths += copy.paths
        })
        if (steps === 0) schedules += state.paths
        if (this.#finding !== null) break
      }
      states += next.size
      more = next.size > 0
      if (more) depth++
      if (states > this.#maxStates) {
        this.#checkReached()
        return this.#result({ exhausted: false, states, schedules, depth })
      }
      layer = next.values()
    }
    this.#checkReached()
    return this.#result({ exhausted: this.#finding === null, states, schedules, depth })
  }

  walk({ seed, schedules, strategy = 'uniform', depth: constraints = 3 }: RandomSchedules): Exploration {
    const actors = this.#threads.length * (this.#model === 'sc' ? 1 : 2)
    // How long schedules are: that of one without a choice, so that a seed alone repeats a schedule.
    const steps = strategy === 'pct' ? this.#run(([first]) => first!, null) : 0
    this.#outcomes.clear()
    let depth = 0
    let done = 0
    for (; done < schedules && this.#finding === null; done++) {
      const random = randomStream(seed + done)
      const scheduler = strategy === 'pct' ? pctScheduler(random, actors, steps, constraints) : uniformScheduler(random)
      depth = Math.max(depth, this.#run(scheduler, seed + done))
    }
    this.#checkReached()
    return this.#result({ exhausted: false, states: 0, schedules: done, depth })
  }

  /** Follows one schedule to its end or to a finding; returns its steps. */
  #run(scheduler: Scheduler, seed: number | null): number {
    let state = this.#initial
    for (let steps = 0; ; steps++) {
      const successors: Successor[] = []
      if (this.#expand(state, (one) => successors.push(one), seed) === 0 || this.#finding !== null) return steps
      // Every step is over the bound on preemptions.
      if (successors.length === 0) return steps
      state = scheduler(successors).state
    }
  }

  #result(counts: Pick<Exploration, 'exhausted' | 'states' | 'schedules' | 'depth'>): Exploration {
    return {
      finding: this.#finding,
      ...counts,
      steps: this.#steps,
      outcomes: this.#outcomes.list(),
      accesses: this.#accesses,
    }
  }

  /** Takes every step that a state allows; returns how many. A state without one is an end or a deadlock. */
  #expand(state: State, visit: (successor: Successor) => void, seed: number | null = null): number {
    const { machine, runner } = this.#world
    const ready = this.#ready(state)
    let count = 0
    const deliver = (copy: State, thread: number, label: string, result: number, drain = false): void => {
      copy.trace = { parent: state.trace, thread, label, result }
      this.#steps++
      count++
      this.#takePrivate(copy, thread)
      const error = copy.threads[thread]!.error
      if (machine.found !== null) this.#record(copy, seed)
      else if (error !== null) this.#recordError(error, copy, seed)
      else if (drain) visit({ state: copy, actor: this.#threads.length + thread })
      else if (this.#withinBound(state, copy, thread)) visit({ state: copy, actor: thread })
    }
    for (let thread = 0; thread < this.#threads.length; thread++) {
      machine.state = state
      for (const index of machine.flushable(thread)) {
        const copy = machine.fork(state)
        machine.state = copy
        const label = machine.flush(thread, index)
        deliver(copy, thread, `(visible) ${label}`, -1, true)
        if (this.#finding !== null) return count
      }
      const node = state.threads[thread]!
      if (!ready[thread] || node.pending === null) continue
      const operation = node.pending
      machine.state = state
      const choices = machine.choices(thread, operation)
      for (let choice = 0; choice < choices; choice++) {
        const copy = machine.fork(state)
        machine.state = copy
        const result = machine.execute(thread, operation, choice)
        copy.waits[thread] = 0
        if (operation.access === true) {
          this.#reached[thread] = true
          this.#accesses[operation.mapped === true ? 'mapped' : 'user']++
          this.#countWaits(copy, thread, ready)
        }
        copy.threads[thread] = runner.next(this.#threads[thread]!.run, node, result)
        deliver(
          copy,
          thread,
          operation.kind === 'store' ? `${operation.label} :=` : operation.label,
          operation.kind === 'store' ? machine.interner.id(operation.value) : result,
        )
        if (this.#finding !== null) return count
      }
    }
    if (count === 0) this.#atEnd(state, seed)
    return count
  }

  /** Private steps that come next: taken at once, as no other order of them needs to be followed. */
  #takePrivate(copy: State, thread: number): void {
    const { machine, runner } = this.#world
    for (;;) {
      const node = copy.threads[thread]!
      const operation = node.pending
      if (operation?.kind !== 'atomic' || operation.isPrivate === undefined || machine.found !== null) return
      if (!machine.enabled(thread, operation) || !operation.isPrivate(machine)) return
      const result = machine.execute(thread, operation, 0)
      copy.threads[thread] = runner.next(this.#threads[thread]!.run, node, result)
      copy.trace = { parent: copy.trace, thread, label: operation.label, result }
      this.#steps++
    }
  }

  #ready(state: State): boolean[] {
    const { machine } = this.#world
    machine.state = state
    return state.threads.map(({ pending }, thread) => pending !== null && machine.enabled(thread, pending))
  }

  /** A thread has accessed a ring while others wait: those whose waiting is bounded may not see many of them. */
  #countWaits(copy: State, actor: number, ready: readonly boolean[]): void {
    this.#threads.forEach(({ name, boundedWait }, thread) => {
      const pending = copy.threads[thread]!.pending
      if (thread === actor || boundedWait !== true || pending === null || ready[thread]) return
      // Its own stores are under way: that ends by itself.
      if (copy.buffers[thread]!.length > 0) return
      copy.waits[thread]!++
      if (copy.waits[thread]! > this.#waitLimit)
        this.#world.machine.report(
          'unbounded-wait',
          `${name} waits (${pending.label}) for more than ${this.#waitLimit} access of another thread`,
        )
    })
  }

  /** Counts a preemption: a step of one thread while the one that took the step before could go on. */
  #withinBound(state: State, copy: State, thread: number): boolean {
    if (this.#preemptions === undefined) return true
    const { last } = state
    const pending = last < 0 ? null : state.threads[last]!.pending
    if (last !== thread && pending !== null) {
      const { machine } = this.#world
      machine.state = state
      if (!machine.waitsForOthers(last, pending)) copy.preemptions++
    }
    copy.last = thread
    return copy.preemptions <= this.#preemptions
  }

  #atEnd(state: State, seed: number | null): void {
    const { machine } = this.#world
    const waiting = state.threads.flatMap(({ pending }, thread) =>
      pending === null ? [] : [`${this.#threads[thread]!.name} waits for ${pending.label}`],
    )
    machine.state = machine.fork(state)
    this.#world.runner.enter('finish')
    if (waiting.length > 0) machine.report('deadlock', waiting.join('; '))
    else
      try {
        const { threads } = state
        const observed = this.#prepared.observe?.(threads.map(({ returned }) => returned))
        if (observed !== undefined) this.#outcomes.add(observed, state.paths)
        this.#prepared.finish?.()
      } catch (error) {
        machine.report('exception', `after the last step: ${messageOf(error)}`)
      }
    if (machine.found !== null) this.#record(state, seed)
  }

  /**
   * Where nothing was found: threads whose steps follow from more than their logs show nothing. And a thread that is
   * there to access a ring, and did not in any schedule, shows nothing.
   */
  #checkReached(): void {
    const idle = this.#threads.find(({ accesses }, thread) => accesses === true && this.#reached[thread] !== true)
    const { machine, runner } = this.#world
    const strayed = this.#checkReplays ? runner.strayed() : null
    // A finding of threads that do not repeat is none.
    if (strayed !== null) machine.report('hidden-state', strayed)
    else if (this.#finding === null && idle !== undefined)
      machine.report('not-reached', `${idle.name} accessed no ring in any schedule`)
    else return
    this.#record(this.#initial, null)
  }

  #recordError(error: unknown, state: State, seed: number | null): void {
    this.#world.machine.report('exception', messageOf(error))
    this.#record(state, seed)
  }

  #record(state: State, seed: number | null): void {
    const { machine } = this.#world
    const { kind, message } = machine.found!
    machine.found = null
    const schedule: ScheduleStep[] = []
    for (let trace: Trace | null = state.trace; trace !== null; trace = trace.parent) {
      const { thread, label, result } = trace
      schedule.unshift({ thread, label, result: result < 0 ? '' : describeValue(machine.interner.value(result)) })
    }
    this.#finding = {
      kind,
      message,
      threads: this.#threads.map(({ name }) => name),
      schedule,
      memoryModel: this.#model,
      seed,
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
