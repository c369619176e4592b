import type { Arguments } from '../arguments.ts'
import { usageError } from '../bench-error.ts'

/** A slice is long enough to count in, and short enough that CPUs are seldom moved within one, ms. */
const SLICE_MS_MIN = 50
const SLICE_MS_MAX = 200
const DEFAULT_SLICE_MS = 100
/** Slices of a class below which a row is no evidence. */
export const SLICES_A_ROW = 20
/** Sittings that the slices which a row needs are of, at least: connecting takes about as long as they do. */
const SITTINGS_A_ROW = 2
const DEFAULT_PATIENCE_S = 300

/** How long and how many. */
export interface SliceTimes {
  readonly sliceMs: number
  /** Slices that a row needs of its class. */
  readonly needed: number
  /** Rounds until drivers and devices are connected again, as other processes. */
  readonly roundsASitting: number
  readonly patienceMs: number
}

/**
 * Slices of `--trials`, `--duration-ms` and `--patience`. A trial that is longer than a slice is several of them: five
 * trials of 1000 ms are 25 slices of 200 ms.
 *
 * @throws BenchError with exit code 2
 */
export function readSliceTimes(args: Arguments, smoke: boolean): SliceTimes {
  const trials = args.integer('trials', 1, 1000, smoke ? 3 : SLICES_A_ROW)
  const durationMs = args.integer('duration-ms', 1, 600_000, smoke ? SLICE_MS_MIN : DEFAULT_SLICE_MS)
  const parts = Math.ceil(durationMs / SLICE_MS_MAX)
  const needed = trials * parts
  return {
    sliceMs: Math.max(SLICE_MS_MIN, Math.round(durationMs / parts)),
    needed,
    roundsASitting: smoke ? needed : Math.ceil(needed / SITTINGS_A_ROW),
    patienceMs: readPatience(args, smoke),
  }
}

/** `--patience 90`, `90s` or `5min`. */
function readPatience(args: Arguments, smoke: boolean): number {
  const text = args.text('patience')
  if (text === null) return smoke ? 0 : 1000 * DEFAULT_PATIENCE_S
  const [, digits, unit] = /^(\d{1,5})(s|min)?$/.exec(text) ?? []
  if (digits === undefined)
    throw usageError(
      '--patience',
      `${JSON.stringify(text)} is not accepted; accepted: seconds, or such as 90s and 5min`,
    )
  return Number(digits) * (unit === 'min' ? 60_000 : 1000)
}
