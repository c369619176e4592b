import { KNOWN_PLACEMENTS, type Placement } from '../placement/classes.ts'
import { type Interval, medianInterval, type Random } from '../stats/index.ts'
import type { Slice } from './slice.ts'

/** A slice as `results.json` has it. */
export interface SliceResult {
  readonly round: number
  /** Absent in files of earlier versions: there was one. */
  readonly sitting?: number | undefined
  readonly mpps: number
  readonly beforeNs: number | null
  readonly afterNs: number | null
  readonly class: Placement | 'mixed'
}

/** The rate of one class, and how many slices it rests on. */
export interface ClassRate {
  readonly mpps: Interval & { readonly slices: number }
}

/** Null: the class did not occur in as many slices as a row needs. It is never filled from another. */
export type ClassRates = { readonly [P in Placement]: ClassRate | null }

export function sliceResult({ packets, seconds, trial: _, ...slice }: Slice): SliceResult {
  return { ...slice, mpps: packets / seconds / 1e6 }
}

/**
 * The slices that a class's rate rests on. Of `unknown` these are all. It has a rate where no class has one, because
 * nothing could be told or the CPUs were moved all the time.
 */
export function slicesIn<T extends Pick<SliceResult, 'class'>>(slices: readonly T[], place: Placement): readonly T[] {
  return place === 'unknown' ? slices : slices.filter((slice) => slice.class === place)
}

/** Medians with intervals of each class that has at least `needed` slices. */
export function classRates(slices: readonly SliceResult[], needed: number, random: Random): ClassRates {
  const rate = (place: Placement): ClassRate | null => {
    const own = slicesIn(slices, place)
    return own.length === 0 || own.length < needed
      ? null
      : { mpps: { ...medianInterval(bySitting(own), random), slices: own.length } }
  }
  const [near, between, far] = KNOWN_PLACEMENTS.map(rate)
  const some = near !== null || between !== null || far !== null
  return { near: near!, between: between!, far: far!, unknown: some ? null : rate('unknown') }
}

/** Rates, those of each sitting together. */
export function bySitting(slices: readonly Pick<SliceResult, 'sitting' | 'mpps'>[]): readonly (readonly number[])[] {
  const sittings = new Map<number, number[]>()
  for (const { sitting = 0, mpps } of slices) {
    const rates = sittings.get(sitting)
    if (rates === undefined) sittings.set(sitting, [mpps])
    else rates.push(mpps)
  }
  return [...sittings.values()]
}

/** After over before, round by round: of rounds in which both had a slice of the class; those of each sitting together. */
export function pairedRatios(
  before: readonly SliceResult[],
  after: readonly SliceResult[],
  place: Placement,
): readonly (readonly number[])[] {
  const rates = new Map(slicesIn(before, place).map(({ round, mpps }) => [round, mpps]))
  return bySitting(
    slicesIn(after, place).flatMap(({ round, sitting, mpps }) => {
      const other = rates.get(round)
      return other === undefined ? [] : [{ sitting, mpps: mpps / other }]
    }),
  )
}

/** How many slices of each kind there were, for people: `near 21, between 3, mixed 2`. */
export function sliceTally(slices: readonly Pick<SliceResult, 'class'>[]): string {
  const kinds = [...KNOWN_PLACEMENTS, 'unknown', 'mixed'] as const
  const counts = kinds.map((kind) => [kind, slices.filter((slice) => slice.class === kind).length] as const)
  return counts
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ')
}
