import type { ExploredWorld } from './explored-world.ts'

/** One thread of a scenario: a plain function that touches shared state through the ports of its world only. */
export interface ScenarioThread {
  /** Column of the timeline. */
  readonly name: string
  /** Its waiting must be bounded: see `ExploreOptions.waitLimit`. */
  readonly boundedWait?: boolean
  /** It accesses a ring: a search in which it never did shows nothing, and ends with the finding `not-reached`. */
  readonly accesses?: boolean
  /** What it returns, its registers say, is given to {@link PreparedScenario.observe}. */
  run(): unknown
}

/** What a schedule ends with, by name: registers and shared variables. */
export type FinalState = Readonly<Record<string, string | number | boolean | null>>

/** What {@link Scenario.prepare} sets up. */
export interface PreparedScenario {
  readonly threads: readonly ScenarioThread[]
  /**
   * Says what a schedule has ended with, from what the threads returned and from shared variables, which it only loads.
   * Distinct answers are the exploration's outcomes.
   */
  observe?(returned: readonly unknown[]): FinalState
  /** Runs alone when all threads have ended; reports what is wrong then. */
  finish?(): void
}

/** Threads, the world they share, and what must hold at the end. */
export interface Scenario {
  readonly name: string
  /** One line for people. */
  readonly description: string
  /** Classes whose instances are equal when their fields are. */
  readonly structural?: readonly unknown[]
  prepare(world: ExploredWorld): PreparedScenario
}
