import type { RoundTripMethod, RoundTripRole } from '@vring/linux'

/** Round trips before the clock runs: both ends are there, and the line is warm. */
export const WARM_TURNS = 64
/** Round trips of one timing: 15 to 90 microseconds, beside which the call is nothing. */
export const BLOCK_TURNS = 256
/** Timings of one measurement; their median counts. */
export const BLOCKS = 9

/** What a worker is started with. */
export interface CoreWorkerData {
  readonly role: RoundTripRole
  readonly memory: SharedArrayBuffer
  /** Undefined: the best that is there. */
  readonly method: RoundTripMethod | undefined
}

/** A worker's answer to a CPU number. */
export type WorkerAnswer =
  | {
      readonly type: 'measured'
      /** ns a round trip, one for each block; none of the responder. */
      readonly blocksNs: readonly number[]
      /** Was SCHED_FIFO allowed? */
      readonly fifo: boolean
      readonly method: RoundTripMethod
    }
  | { readonly type: 'failed'; readonly reason: string }
