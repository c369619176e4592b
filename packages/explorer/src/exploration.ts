import type { FindingKind, MemoryModel } from './operation.ts'
import type { FinalState } from './scenario.ts'

/** How schedules are drawn. */
export interface RandomSchedules {
  /** The n-th schedule is drawn from `seed` + n, so that the seed of a finding repeats it. */
  readonly seed: number
  readonly schedules: number
  /** `uniform`, the default: each possible step is equally probable. `pct`: see `pctScheduler`. */
  readonly strategy?: 'uniform' | 'pct'
  /** `pct`: how many ordering constraints the bug needs; default 3. */
  readonly depth?: number
}

/** Limits and mode of `explore`. */
export interface ExploreOptions {
  /** Default `sc`. */
  readonly memoryModel?: MemoryModel
  /**
   * Most times that a thread which could go on is interrupted by a step of another one; default: no bound. A store that
   * becomes visible is no step of a thread and interrupts none.
   */
  readonly preemptions?: number
  /** Ring accesses of others that a thread with `boundedWait` may have to wait for; default 1. */
  readonly waitLimit?: number
  /** Give up beyond this many distinct states; default 2,000,000. */
  readonly maxStates?: number
  /**
   * At the end, run threads again from their logs and see that they come to the same place. What does not depends on
   * state that the explorer does not see, and nothing is shown of it. Default false.
   */
  readonly checkReplays?: boolean
  /** Random schedules in place of the exhaustive search; default none. */
  readonly random?: RandomSchedules
}

/** One step of a schedule. */
export interface ScheduleStep {
  /** Index in {@link Finding.threads}. */
  readonly thread: number
  readonly label: string
  readonly result: string
}

/** What went wrong, and the schedule that shows it: the shortest one, unless it was found at random. */
export interface Finding {
  readonly kind: FindingKind
  readonly message: string
  /** Names of the threads. */
  readonly threads: readonly string[]
  readonly schedule: readonly ScheduleStep[]
  readonly memoryModel: MemoryModel
  /** Seed of the random schedule that found it; null: found by exhaustive search. */
  readonly seed: number | null
}

/** A final state, and how many schedules end with it. */
export interface Outcome {
  readonly state: FinalState
  readonly schedules: number
}

/** What an exploration did. */
export interface Exploration {
  /** The first finding, or null. */
  readonly finding: Finding | null
  /** Every schedule within the bounds was covered, and none is left. */
  readonly exhausted: boolean
  /** Schedule steps taken. */
  readonly steps: number
  /** Distinct states seen; schedules that lead to one state are followed once. */
  readonly states: number
  /**
   * Complete schedules that the states stand for (exhaustive), those that differ only in the order of private steps being
   * one; or that were run (random).
   */
  readonly schedules: number
  /** The distinct final states that `observe` of the scenario gave, in a fixed order; empty where it has none. */
  readonly outcomes: readonly Outcome[]
  /**
   * Steps that accessed a ring, through a mapping and through the page tables: with none of a kind, nothing is shown of
   * it.
   */
  readonly accesses: { readonly mapped: number; readonly user: number }
  /** Steps of the longest schedule. */
  readonly depth: number
}
