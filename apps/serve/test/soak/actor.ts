import type { WatchedDaemon } from './watched-daemon.ts'

/** What a part of the soak counted, by name. */
export type Counts = Record<string, number>

/** One part of a soak: it goes on until it is told to end, beside the others. */
export interface Actor {
  readonly name: string
  readonly counts: Counts
  /** What it serves drivers with, if that lives as long as the soak. */
  readonly daemon?: WatchedDaemon
  /**
   * Goes on until `ended` says so.
   *
   * @throws Error when something is not as it must be
   */
  run(ended: () => boolean): Promise<void>
  /**
   * Ends what it started, after the last look at it.
   *
   * @returns what is not as it was at the beginning
   */
  end(): Promise<string[]>
}

export function count(counts: Counts, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by
}

/** Numbers from 0 up to a limit, the same ones for the same seed. */
export function randomStream(seed: number): (limit: number) => number {
  let state = seed >>> 0
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
