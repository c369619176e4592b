import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'
import { nextSlot, type Program } from '../isa/instruction.ts'
import { stateCovers, type VerifierState } from './state.ts'
import { type StoredState, StoredStates } from './stored-states.ts'
import { successors } from './structure.ts'

/** Instructions that a path follows at least from one state that is kept to the next: short loops keep few. */
const INSTRUCTIONS_BETWEEN = 8

/** Slots where paths may meet: 1 for each. */
export function* findJoins(program: Program): Generator<void, Uint8Array> {
  const joins = new Uint8Array(program.length)
  const seen = new Uint8Array(program.length)
  for (let index = 0; index < program.length; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    const one = program[index]
    if (!one) continue
    for (const next of successors(program, index)) {
      if (next >= program.length) continue
      if (seen[next] === 1 || next <= index) joins[next] = 1
      seen[next] = 1
    }
    if (one.kind === 'call-local') joins[nextSlot(program, index)] = 1
  }
  return joins
}

/**
 * What has been followed already. A path that arrives at a join with no more than another path had there, and that one
 * proved safe, ends. Source: Linux kernel/bpf/verifier.c, is_state_visited and update_branch_counts.
 */
export class PathHistory {
  readonly #live: Int32Array
  readonly #joins: Uint8Array
  readonly #stored: (StoredStates | undefined)[]

  constructor(live: Int32Array, joins: Uint8Array) {
    this.#live = live
    this.#joins = joins
    this.#stored = new Array<StoredStates | undefined>(live.length)
  }

  /** Paths may meet here. */
  isJoin(index: number): boolean {
    return this.#joins[index] === 1
  }

  /**
   * Looks the state up and keeps it, unless the path has just kept one.
   *
   * @param followed instructions that have been followed so far
   * @returns `safe`: this path needs no following; `loop`: the same state was here before on this very path. Otherwise
   * it is the last state that this path kept, its parent from here on
   */
  visit(
    index: number,
    state: VerifierState,
    parent: StoredState | null,
    followed: number,
  ): StoredState | null | 'safe' | 'loop' {
    const live = this.#liveMasks(index, state)
    let stored = this.#stored[index]
    if (stored === undefined) {
      stored = new StoredStates()
      this.#stored[index] = stored
    }
    const covering = stored.find(state, (known) => {
      if (!stateCovers(known.state!, state, live)) return false
      if (known.open === 0) return true
      state.dropLonelyIds()
      return stateCovers(state, known.state!, live)
    })
    if (covering !== undefined) {
      // A helper calls a function again, a bounded number of times: what is being followed already stands for it.
      return covering.open === 0 || !sameCall(covering.state!, state) ? 'safe' : 'loop'
    }
    if (parent !== null && followed - parent.at < INSTRUCTIONS_BETWEEN) return parent
    state.dropLonelyIds()
    const one: StoredState = { state: state.copy(), parent, at: followed, open: 1 }
    stored.add(one, live[live.length - 1]!)
    return one
  }

  /** One more path is open after `parent`. */
  fork(parent: StoredState | null): void {
    if (parent !== null) parent.open++
  }

  /** A path after `parent` has ended; with its last one a stored state is safe, and a path of its own parent has ended. */
  finish(parent: StoredState | null): void {
    for (let one = parent; one !== null && --one.open === 0; ) one = one.parent
  }

  /** Registers that may be read from here on, for each frame of the call chain. */
  #liveMasks(index: number, state: VerifierState): number[] {
    return state.frames.map((_, depth) => {
      const inner = state.frames[depth + 1]
      // A caller goes on after its call, which takes r0 to r5 from the callee.
      if (inner === undefined) return this.#live[index]!
      // A helper that calls back reads its registers again.
      return inner.callback === null ? this.#live[inner.returnTo]! & ~0x3f : this.#live[inner.returnTo]! | 0x3e
    })
  }
}

/** Both states are within the same call of every callback. */
function sameCall(known: VerifierState, now: VerifierState): boolean {
  return known.frames.every(({ callback }, depth) => callback === now.frames[depth]!.callback)
}
