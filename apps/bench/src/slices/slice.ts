import type { TrialAnswer } from '../cell/protocol.ts'
import type { Placement } from '../placement/classes.ts'

/** What was counted in one slice of time. */
export interface SliceCount {
  readonly packets: number
  readonly seconds: number
  /** Of a driver in a thread of this code: what else its trial gave. */
  readonly trial?: TrialAnswer
}

/** One slice of a pair of driver and device, and where their CPUs were. */
export interface Slice extends SliceCount {
  /** Slices of one round ran one after the other, each pair once. */
  readonly round: number
  /** Slices of one sitting are of the same processes. */
  readonly sitting: number
  /** Round trip of a cache line between the two CPUs before and after it, ns; null: not measured. */
  readonly beforeNs: number | null
  readonly afterNs: number | null
  readonly class: Placement | 'mixed'
}

/** A driver and a device, processes that stay connected and run for one slice at a time. */
export interface Sitting {
  /** For people. */
  readonly label: string
  /** Why it takes no further part, or null. */
  readonly failure: string | null
  /** Starts both, lets them settle, and stops them. A failure is kept, not thrown. */
  connect(): Promise<void>
  /** Lets them run; null: failed, or interrupted. */
  run(durationMs: number): Promise<SliceCount | null>
  /** Ends both. */
  close(): Promise<void>
}
