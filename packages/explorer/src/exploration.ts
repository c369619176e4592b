import type { FindingKind, MemoryModel } from './operation.ts'

/** Limits and mode of `explore`. */
export interface ExploreOptions {
  /** Default `sc`. */
  readonly memoryModel?: MemoryModel
  /** Most times that a thread which could go on is interrupted; default: no bound. */
  readonly preemptions?: number
  /** Ring accesses of others that a thread with `boundedWait` may have to wait for; default 1. */
  readonly waitLimit?: number
  /** Give up beyond this many distinct states; default 2,000,000. */
  readonly maxStates?: number
  /** Random schedules beyond the bound, after or instead of the exhaustive search; default none. */
  readonly random?: { readonly seed: number; readonly schedules: number }
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
  /** Steps of the longest schedule. */
  readonly depth: number
}
