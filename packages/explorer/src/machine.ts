import { Interner } from './interner.ts'
import type { FindingKind, MemoryModel, Operation } from './operation.ts'
import { type State, stateKey } from './state.ts'

/** What an operation does to a state, under one memory model. States are copied on write, one step at a time. */
export class Machine {
  readonly model: MemoryModel
  readonly interner: Interner
  /** The thread that runs the current operation. */
  thread = -1
  state: State
  /** What the step just done found, or null. */
  found: { readonly kind: FindingKind; readonly message: string } | null = null
  readonly #locations = new Map<unknown, number>()
  readonly #initial: number[] = []

  constructor(model: MemoryModel, structural: readonly unknown[]) {
    this.model = model
    this.interner = new Interner(structural)
    this.state = {
      values: [],
      threads: [],
      buffers: [],
      old: [],
      floors: [],
      waits: [],
      trace: null,
      paths: 1,
      last: -1,
      preemptions: 0,
    }
  }

  /** The location of a variable, by identity or name; made with its first value when it is new. */
  location(key: unknown, initial: unknown): number {
    let location = this.#locations.get(key)
    if (location === undefined) {
      location = this.#initial.length
      this.#initial.push(this.interner.id(initial))
      this.#locations.set(key, location)
    }
    return location
  }

  /** Committed value of a location. */
  get<T>(location: number): T {
    return this.interner.value(this.state.values[location] ?? this.#initial[location]!) as T
  }

  /** Commits a value at once. Only from `run`, `check` and `commit` of an operation. */
  set(location: number, value: unknown): void {
    const { state } = this
    this.#fill(location)
    if (this.model === 'weak' && this.thread >= 0) {
      const old = [...(state.old[location] ?? []), state.values[location]!]
      state.old[location] = old
      this.#setFloor(this.thread, location, old.length)
    }
    state.values[location] = this.interner.id(value)
  }

  /** {@link set} of what no other thread reaches: there is no older value that one could see. */
  setOwn(location: number, value: unknown): void {
    this.#fill(location)
    this.state.values[location] = this.interner.id(value)
  }

  /** Notes what went wrong; the first finding of a step stays. */
  report(kind: FindingKind, message: string): void {
    this.found ??= { kind, message }
  }

  /** Does a thread hold a store to one of these locations back? */
  isBuffered(locations: (location: number) => boolean): boolean {
    return this.state.buffers.some((buffer) => buffer.some(({ location }) => location >= 0 && locations(location)))
  }

  /** May `thread` take this step now? */
  enabled(thread: number, operation: Operation): boolean {
    const drained = operation.kind === 'mb' || (operation.kind === 'atomic' && operation.own !== true)
    return !(drained && this.holdsStores(thread)) && !this.waitsForOthers(thread, operation)
  }

  /** Does this step need one of another thread first? Stores that the thread itself holds back drain without any. */
  waitsForOthers(thread: number, operation: Operation): boolean {
    if (operation.kind !== 'atomic') return false
    this.thread = thread
    return operation.enabled?.(this) === false
  }

  /** Has a thread stores that others do not see? */
  holdsStores(thread: number): boolean {
    return (this.state.buffers[thread]?.length ?? 0) > 0
  }

  /** The results that a step may have now: more than one only for a load under `weak`. */
  choices(thread: number, operation: Operation): number {
    if (this.model !== 'weak' || operation.kind !== 'load') return 1
    this.thread = thread
    const location = operation.locate(this)
    if (location < 0 || this.#ownStore(thread, location) !== undefined) return 1
    return (this.state.old[location]?.length ?? 0) - this.#floor(thread, location) + 1
  }

  /** Takes a step in {@link state}, which must be the caller's own copy. Returns the result's id. */
  execute(thread: number, operation: Operation, choice: number): number {
    this.thread = thread
    switch (operation.kind) {
      case 'load':
        return this.#load(thread, operation, choice)
      case 'store':
        return this.interner.id(this.#store(thread, operation))
      case 'atomic': {
        if (operation.own !== true) this.#raiseFloors(thread)
        return this.interner.id(operation.run(this))
      }
      case 'wmb':
        if (this.model === 'weak') this.#barrier(thread)
        return this.interner.id(undefined)
      default:
        this.#raiseFloors(thread)
        return this.interner.id(undefined)
    }
  }

  /** Which of a thread's buffered stores may become visible next: indices in its buffer. */
  flushable(thread: number): number[] {
    const buffer = this.state.buffers[thread]
    if (buffer === undefined || buffer.length === 0) return []
    if (this.model === 'tso') return [0]
    const seen = new Set<number>()
    const indices: number[] = []
    for (const [index, { location }] of buffer.entries()) {
      if (location < 0) break
      if (!seen.has(location)) indices.push(index)
      seen.add(location)
    }
    return indices
  }

  /** Makes one buffered store visible; returns its label. */
  flush(thread: number, index: number): string {
    const { state } = this
    this.thread = thread
    const buffer = state.buffers[thread]!
    const { location, value, label, commit } = buffer[index]!
    let rest = buffer.filter((_, at) => at !== index)
    while (rest[0]?.location === -1) rest = rest.slice(1)
    state.buffers[thread] = rest
    this.#commit(location, value, commit)
    return label
  }

  /** A full barrier of every thread: what a grace period, or an interrupt sent to all, amounts to. */
  orderAll(): void {
    for (let thread = 0; thread < this.state.threads.length; thread++) this.#raiseFloors(thread)
  }

  #load(thread: number, operation: Operation & { kind: 'load' }, choice: number): number {
    operation.check?.(this)
    const location = operation.locate(this)
    if (location < 0) return this.interner.id(undefined)
    const own = this.#ownStore(thread, location)
    let result = own
    if (result === undefined) {
      this.#fill(location)
      result = this.state.values[location]!
      if (this.model === 'weak') {
        // Choice 0 is the committed value, 1 the one before it, and so on.
        const old = this.state.old[location] ?? []
        const version = old.length - choice
        if (choice > 0) result = old[version]!
        this.#setFloor(thread, location, version)
      }
    }
    if (operation.acquire) this.#raiseFloors(thread)
    return result
  }

  /** True unless there is no variable now. */
  #store(thread: number, operation: Operation & { kind: 'store' }): boolean {
    operation.check?.(this)
    const location = operation.locate(this)
    if (location < 0) return false
    const value = this.interner.id(operation.value)
    if (this.model === 'sc') {
      this.#commit(location, value, operation.commit?.bind(operation))
      return true
    }
    if (operation.release && this.model === 'weak') this.#barrier(thread)
    const commit = operation.commit?.bind(operation)
    this.state.buffers[thread] = [
      ...(this.state.buffers[thread] ?? []),
      { location, value, label: operation.label, commit },
    ]
    return true
  }

  #commit(location: number, value: number, commit: ((machine: Machine) => void) | undefined): void {
    this.set(location, this.interner.value(value))
    commit?.(this)
  }

  #barrier(thread: number): void {
    const buffer = this.state.buffers[thread] ?? []
    if (buffer.length === 0 || buffer.at(-1)!.location === -1) return
    this.state.buffers[thread] = [...buffer, { location: -1, value: 0, label: 'wmb', commit: undefined }]
  }

  #ownStore(thread: number, location: number): number | undefined {
    return this.state.buffers[thread]?.findLast((store) => store.location === location)?.value
  }

  #fill(location: number): void {
    const { values } = this.state
    for (let at = values.length; at <= location; at++) values.push(this.#initial[at]!)
  }

  #floor(thread: number, location: number): number {
    return this.state.floors[thread]?.[location] ?? 0
  }

  #setFloor(thread: number, location: number, floor: number): void {
    const floors = [...(this.state.floors[thread] ?? [])]
    for (let at = floors.length; at < location; at++) floors.push(0)
    floors[location] = floor
    this.state.floors[thread] = floors
  }

  #raiseFloors(thread: number): void {
    if (this.model !== 'weak' || thread < 0) return
    this.state.floors[thread] = Array.from(
      { length: this.state.old.length },
      (_, at) => this.state.old[at]?.length ?? 0,
    )
  }

  /** A copy to take a step in. */
  fork(state: State): State {
    return {
      values: state.values.slice(),
      threads: state.threads.slice(),
      buffers: state.buffers.slice(),
      old: this.model === 'weak' ? state.old.slice() : state.old,
      floors: this.model === 'weak' ? state.floors.slice() : state.floors,
      waits: state.waits.slice(),
      trace: state.trace,
      paths: state.paths,
      last: state.last,
      preemptions: state.preemptions,
    }
  }

  /** Text that is equal for equal states. */
  key(state: State, bounded: boolean): string {
    return stateKey(this.model, state, bounded)
  }
}
