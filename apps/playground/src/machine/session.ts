import { type Action, isConcurrent, ROUND } from './action.ts'
import { Machine, type MachineOptions } from './machine.ts'
import type { Moment } from './moment.ts'

/** Actions that a session remembers at most: beyond that a rewritten past would take noticeable time. */
export const ACTIONS_MAX = 200

interface Past {
  readonly options: MachineOptions
  readonly script: readonly Action[]
  readonly cursor: number
}

/**
 * A machine's history, and a place in it. The history is a list of actions that is executed from the beginning whenever
 * its past changes. So one can step back, let something else happen in the middle of a round, and take it back again.
 *
 * Acting in the middle rewrites what came after. Inside a round, what may happen concurrently happens at that place and
 * the round goes on. Anything else waits for the end of the action that the cursor is in.
 */
export class Session {
  #options: MachineOptions
  #script: readonly Action[] = []
  #machine: Machine
  #cursor = 0
  #undo: Past[] = []
  #redo: Past[] = []

  constructor(options: MachineOptions) {
    this.#options = options
    this.#machine = new Machine(options)
  }

  get options(): MachineOptions {
    return this.#options
  }

  get script(): readonly Action[] {
    return this.#script
  }

  get moments(): readonly Moment[] {
    return this.#machine.moments
  }

  get cursor(): number {
    return this.#cursor
  }

  get current(): Moment {
    return this.moments[this.#cursor]!
  }

  /** The moment before the current one, or the current one at the beginning. */
  get previous(): Moment {
    return this.moments[Math.max(0, this.#cursor - 1)]!
  }

  get canUndo(): boolean {
    return this.#undo.length > 0
  }

  get canRedo(): boolean {
    return this.#redo.length > 0
  }

  /** No action more: undo, or begin again. */
  get isFull(): boolean {
    return this.#script.length >= ACTIONS_MAX
  }

  /** Goes to a moment; beyond either end: to that end. */
  goTo(index: number): void {
    this.#cursor = Math.max(0, Math.min(this.moments.length - 1, index))
  }

  /** The next moment; after the last one, a new round begins. */
  step(): void {
    if (this.#cursor < this.moments.length - 1) this.#cursor++
    else this.act(ROUND)
  }

  /** Lets something happen where the cursor is; see the class. */
  act(action: Action): void {
    const at = this.current
    const running = at.action < 0 ? undefined : this.#script[at.action]
    const midRound = running?.kind === 'round' && this.moments[this.#cursor + 1]?.action === at.action
    const past = this.#script.slice(0, at.action + 1)
    if (!(midRound && isConcurrent(action))) {
      if (past.length >= ACTIONS_MAX) return
      this.#change([...past, action])
      const index = this.moments.findIndex((moment) => moment.action === past.length)
      this.goTo(action.kind === 'round' ? index : this.moments.length - 1)
      return
    }
    const injection = { after: at.hooks, action }
    const injections = [...running.injections.slice(0, at.injected), injection]
    this.#change([...past.slice(0, -1), { kind: 'round', injections }])
    this.goTo(this.#machine.ends.get(injection) ?? 0)
  }

  undo(): void {
    const past = this.#undo.pop()
    if (past === undefined) return
    this.#redo.push(this.#here())
    this.#restore(past)
  }

  redo(): void {
    const future = this.#redo.pop()
    if (future === undefined) return
    this.#undo.push(this.#here())
    this.#restore(future)
  }

  /** Begins again with a script; the cursor goes to its `cursor`-th moment, or to the end. */
  load(options: MachineOptions, script: readonly Action[], cursor = Number.POSITIVE_INFINITY): void {
    this.#undo.push(this.#here())
    this.#redo = []
    this.#restore({ options, script, cursor })
  }

  #here(): Past {
    return { options: this.#options, script: this.#script, cursor: this.#cursor }
  }

  #change(script: readonly Action[]): void {
    this.#undo.push(this.#here())
    this.#redo = []
    this.#restore({ options: this.#options, script, cursor: 0 })
  }

  #restore({ options, script, cursor }: Past): void {
    const appended = options === this.#options && script.length === this.#script.length + 1
    if (appended && this.#script.every((action, index) => action === script[index]))
      this.#machine.perform(script.at(-1)!)
    else {
      this.#machine = new Machine(options)
      for (const action of script) this.#machine.perform(action)
    }
    this.#options = options
    this.#script = script
    this.goTo(cursor)
  }
}
