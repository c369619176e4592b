import type { Outcome } from './exploration.ts'
import type { FinalState } from './scenario.ts'

/** Final states of schedules, equal ones once. */
export class OutcomeTable {
  readonly #outcomes = new Map<string, { readonly state: FinalState; schedules: number }>()

  /** @param schedules how many end so */
  add(state: FinalState, schedules: number): void {
    const key = JSON.stringify(state)
    const known = this.#outcomes.get(key)
    if (known === undefined) this.#outcomes.set(key, { state, schedules })
    else known.schedules += schedules
  }

  clear(): void {
    this.#outcomes.clear()
  }

  /** All of them, ordered by what they hold, not by when they were met. */
  list(): Outcome[] {
    return [...this.#outcomes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, outcome]) => outcome)
  }
}
