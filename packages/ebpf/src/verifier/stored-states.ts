import type { Register } from './register.ts'
import { isConstant } from './scalar.ts'
import type { VerifierState } from './state.ts'

/** A state that a path had at a join. Proven safe once no path that leads on from it is open. */
export interface StoredState {
  /** Null once it is not compared with any more: a path keeps all its parents, but not what they knew. */
  state: VerifierState | null
  readonly parent: StoredState | null
  /** Instructions that had been followed when it was kept. */
  readonly at: number
  /** Paths from here on that are not finished. */
  open: number
}

/** States that are compared with one another. */
const GROUP_MAX = 64
/** Groups of one slot: rounds of a loop that are told apart. */
const GROUPS_MAX = 1024
/** States after which a register is looked for that tells them apart, and values that it must have had by then. */
const STATES_BEFORE_CHOICE = 8
const VALUES_OF_CHOICE = 4

/** A constant, or a pointer's offset, that another state must have as well. */
type Value = bigint | number

/**
 * States of one slot. What stands for a state has the same constants. So they are grouped by the value of one register,
 * such as the counter of a loop. A state is compared with those of its own round. In each group, and among groups, the
 * one that was stored, or ended a path, longest ago makes room. Paths are followed to the end and then back, and what
 * ended a path last is likely to end the next one.
 */
export class StoredStates {
  /** Groups by value, the one used last at the end. */
  readonly #groups = new Map<Value, StoredState[]>()
  /** Those whose register has no single value, or all while no register is chosen. */
  #others: StoredState[] = []
  #register = -1
  #untilChoice = STATES_BEFORE_CHOICE

  /**
   * The latest state for which `matches` holds, among those that may stand for `now`; it is then the one used last.
   *
   * @param matches given the state that is stored
   */
  find(now: VerifierState, matches: (known: StoredState) => boolean): StoredState | undefined {
    const value = this.#value(now)
    const group = value === undefined ? undefined : this.#groups.get(value)
    return (group === undefined ? undefined : latest(group, matches)) ?? latest(this.#others, matches)
  }

  /** @param live registers of the innermost frame that may still be read */
  add(one: StoredState, live: number): void {
    if (this.#register < 0 && --this.#untilChoice === 0) this.#choose(live)
    this.#place(one)
  }

  #place(one: StoredState): void {
    const value = this.#value(one.state!)
    if (value === undefined) {
      push(this.#others, one)
      return
    }
    const group = this.#groups.get(value) ?? []
    push(group, one)
    this.#groups.delete(value)
    this.#groups.set(value, group)
    if (this.#groups.size <= GROUPS_MAX) return
    const [oldest, states] = this.#groups.entries().next().value!
    this.#groups.delete(oldest)
    for (const forgotten of states) forgotten.state = null
  }

  #value(state: VerifierState): Value | undefined {
    return this.#register < 0 ? undefined : singleValue(state.registers[this.#register]!)
  }

  /** Takes the register with the most values, if they are enough to tell states apart. */
  #choose(live: number): void {
    this.#untilChoice = GROUP_MAX
    let most = VALUES_OF_CHOICE - 1
    for (let register = 0; register <= 10; register++) {
      // What is not read any more is not compared.
      if ((live & (1 << register)) === 0) continue
      const values = new Set(this.#others.map(({ state }) => singleValue(state!.registers[register]!)))
      values.delete(undefined)
      if (values.size <= most) continue
      most = values.size
      this.#register = register
    }
    const all = this.#others
    this.#others = []
    for (const one of all) this.#place(one)
  }
}

function singleValue({ kind, number, offset }: Register): Value | undefined {
  if (kind === 'none') return undefined
  if (kind !== 'number') return offset
  return isConstant(number) ? number.bits.value : undefined
}

function latest(states: StoredState[], matches: (known: StoredState) => boolean): StoredState | undefined {
  for (let i = states.length - 1; i >= 0; i--) {
    const one = states[i]!
    if (!matches(one)) continue
    states.splice(i, 1)
    states.push(one)
    return one
  }
  return undefined
}

function push(states: StoredState[], one: StoredState): void {
  if (states.length === GROUP_MAX) states.shift()!.state = null
  states.push(one)
}
