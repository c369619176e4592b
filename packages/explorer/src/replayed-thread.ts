import type { Interner } from './interner.ts'
import type { Operation } from './operation.ts'

/** Thrown to leave a thread's function at its next operation. Not an error: code must not catch what it can't name. */
const SUSPEND: unique symbol = Symbol('suspended at an operation')

/** Places of each thread that {@link ThreadRunner.strayed} runs again. */
const REPLAYS_MAX = 300

/** What is wrong with a thread that does not repeat, and what mends it. */
const STRAYED =
  'state is kept where the explorer does not look: a closure, a private name (#name), a Map, elements of an array; keep it in ordinary fields, or in cells of the port'

/** Where a thread is: everything it does next follows from the results that its operations had so far. */
export interface ThreadNode {
  readonly id: number
  /** The operation that it does next, or null: it has returned. */
  readonly pending: Operation | null
  /** What it threw, if it did. */
  readonly error: unknown
  /** What its function returned, when it has. */
  readonly returned: unknown
  /** @internal */
  readonly parent: ThreadNode | null
  /** @internal Id of the result of the parent's operation. */
  readonly result: number
  /** @internal */
  readonly depth: number
  /** @internal By result. */
  readonly children: Map<number, ThreadNode>
}

/**
 * Threads as plain functions. A port call of such a function goes to {@link perform}. It gets the result that the log
 * has for it. Where the log ends, the function is left by an exception, and the call is the thread's next operation.
 * With that operation's result in the log the function runs again, from its start.
 *
 * A function that only depends on results is at the same place whenever its log is the same. So places are kept in a
 * tree by result and each is computed once, however many schedules pass through it.
 */
export class ThreadRunner {
  readonly #interner: Interner
  #log: unknown[] = []
  #cursor = -1
  #pending: Operation | null = null
  #nodes = 0
  /** What threads made, by who made it and for the how many-th time. */
  readonly #objects = new Map<unknown, Map<string, object>>()
  readonly #started: { readonly run: () => unknown; readonly root: ThreadNode }[] = []
  #maker: unknown = null
  #made = 0

  constructor(interner: Interner) {
    this.#interner = interner
  }

  /** How many places of threads were computed. */
  get places(): number {
    return this.#nodes
  }

  /** Is a thread's function running? Otherwise operations are to be executed at once (setup, final checks). */
  get isReplaying(): boolean {
    return this.#cursor >= 0
  }

  /** Has the log a result for the next operation? Then {@link take} it: no need to describe the operation. */
  get hasResult(): boolean {
    return this.#pending === null && this.#cursor >= 0 && this.#cursor < this.#log.length
  }

  take(): unknown {
    return this.#log[this.#cursor++]
  }

  /** Makes `operation` the running thread's next one and leaves the thread. */
  suspend(operation: Operation): never {
    // A `finally` on the way out may come here again: the first operation stays.
    this.#pending ??= operation
    throw SUSPEND
  }

  /** Begins something that runs outside of threads, perhaps for many states: what it makes is the same each time. */
  enter(maker: string): void {
    this.#maker = maker
    this.#made = 0
  }

  /** An object of a known identity: the n-th that the running function makes, see `SyncPort.object`. */
  object<T extends object>(key: string, make: () => T): T {
    let objects = this.#objects.get(this.#maker)
    if (objects === undefined) {
      objects = new Map()
      this.#objects.set(this.#maker, objects)
    }
    const name = `${this.#made++} ${key}`
    let made = objects.get(name) as T | undefined
    if (made === undefined) {
      made = make()
      objects.set(name, made)
    }
    return made
  }

  /** The beginning of a thread. */
  start(run: () => unknown): ThreadNode {
    const root = this.#node(run, null, 0)
    this.#started.push({ run, root })
    return root
  }

  /**
   * Runs threads again, from the logs of places that were computed long ago: what one is to do next must be what it was.
   *
   * @returns what differs, or null
   */
  strayed(): string | null {
    for (const { run, root } of this.#started) {
      const places = [root]
      for (let at = 0; at < places.length && at < REPLAYS_MAX; at++) {
        const place = places[at]!
        const again = this.#node(run, place.parent, place.result)
        const [was, is] = [place, again].map(
          ({ pending, error }) => pending?.label ?? (error === null ? 'the end' : 'an error'),
        )
        if (was !== is)
          return `${STRAYED}. Run again with the same results of all its steps, a thread goes on to "${is}", before to "${was}"`
        places.push(...place.children.values())
      }
    }
    return null
  }

  /** Where the thread is after its operation had this result. */
  next(run: () => unknown, node: ThreadNode, result: number): ThreadNode {
    let child = node.children.get(result)
    if (child === undefined) {
      child = this.#node(run, node, result)
      node.children.set(result, child)
    }
    return child
  }

  #node(run: () => unknown, parent: ThreadNode | null, result: number): ThreadNode {
    const depth = parent === null ? 0 : parent.depth + 1
    const log: unknown[] = new Array(depth)
    let id = result
    for (let node = parent, at = depth - 1; node !== null; node = node.parent, at--) {
      log[at] = this.#interner.value(id)
      id = node.result
    }
    this.#log = log
    this.#cursor = 0
    this.#pending = null
    this.#maker = run
    this.#made = 0
    let error: unknown = null
    let returned: unknown
    try {
      returned = run()
    } catch (thrown) {
      // What it throws on its way out, after it was left, is no error: it would not have come there.
      if (this.#pending === null) error = thrown
    }
    this.#cursor = -1
    const pending = error === null ? this.#pending : null
    return { id: this.#nodes++, pending, error, returned, parent, result, depth, children: new Map() }
  }
}
