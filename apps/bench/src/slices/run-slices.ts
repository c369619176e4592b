import { type ClassBounds, KNOWN_PLACEMENTS, sliceClass } from '../placement/classes.ts'
import type { RoundTrip } from '../placement/core-probe.ts'
import { interleaved } from '../plan/order.ts'
import type { Random } from '../stats/index.ts'
import type { SlicePair } from './slice-pair.ts'

/** How slices are run. */
export interface SliceOptions {
  readonly durationMs: number
  /** Slices that a row needs of its class. */
  readonly needed: number
  /** Rounds of one sitting: after as many, drivers and devices are other processes. */
  readonly roundsASitting: number
  /** How long to wait for classes that have not occurred, in ms from the first slice on. */
  readonly patienceMs: number
  readonly bounds: ClassBounds
  /** Can CPUs be moved? Without a hypervisor they stay, and one class is all there is. */
  readonly moves: boolean
  /** Between the CPUs of driver and device, both of them idle. */
  readonly roundTrip: () => Promise<Pick<RoundTrip, 'ns'>>
  readonly random: Random
  readonly signal: AbortSignal
  readonly progress: (what: string, does: string) => void
}

/**
 * Runs pairs in turn, a slice each, A B B A. It ends when each row has the slices that it needs, or the patience for
 * classes that do not occur is over. One pair runs at a time, the others are stopped; within a sitting nothing is set
 * up in between. At least `needed` rounds are run, whatever the patience.
 */
export async function runSlices(pairs: readonly SlicePair[], options: SliceOptions): Promise<void> {
  const { signal, patienceMs, needed, roundsASitting } = options
  const end = performance.now() + patienceMs
  for (let round = 0; !signal.aborted; ) {
    for (const order of interleaved(pairs.length, 2, options.random)) {
      for (const index of order) if (!signal.aborted) await runOne(pairs[index]!, round, options)
      round++
      const live = pairs.filter(({ failure }) => failure === null)
      if (live.length === 0 || signal.aborted) return
      if (round >= needed && (performance.now() >= end || isEnough(live, options))) return
      if (round % roundsASitting === 0) await sitAgain(live, options)
    }
  }
}

async function sitAgain(pairs: readonly SlicePair[], { signal, progress }: SliceOptions): Promise<void> {
  for (const pair of pairs) {
    if (signal.aborted) return
    progress(pair.label, `sitting ${pair.number + 2}`)
    await pair.sitAgain()
  }
}

async function runOne(pair: SlicePair, round: number, options: SliceOptions): Promise<void> {
  const { bounds, roundTrip, durationMs, needed } = options
  if (pair.failure !== null) return
  options.progress(pair.label, `slice ${round + 1}${round < needed ? ` of ${needed}` : ''}`)
  const before = await roundTrip()
  const count = await pair.sitting.run(durationMs)
  if (count === null) return
  const after = await roundTrip()
  const place = sliceClass(before, after, bounds)
  pair.slices.push({ ...count, round, sitting: pair.number, beforeNs: before.ns, afterNs: after.ns, class: place })
}

/** Is there nothing left to wait for? */
function isEnough(live: readonly SlicePair[], { needed, moves }: SliceOptions): boolean {
  const full = (wanted: string): boolean =>
    live.every(({ slices }) => slices.filter((slice) => slice.class === wanted).length >= needed)
  // Where nothing can be told of the CPUs there is nothing to wait for either.
  if (full('unknown')) return true
  return moves ? KNOWN_PLACEMENTS.every(full) : KNOWN_PLACEMENTS.some(full)
}
