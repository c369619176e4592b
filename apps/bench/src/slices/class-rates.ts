import { KNOWN_PLACEMENTS, type Placement } from '../placement/classes.ts'
import { type Interval, medianInterval, type Random } from '../stats/index.ts'
import type { Slice } from './slice.ts'

/** A slice as `results.json` has it. */
export interface SliceResult {
  readonly round: number
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

export function sliceResult({ round, packets, seconds, beforeNs, afterNs, class: place }: Slice): SliceResult {
  return { round, mpps: packets / seconds / 1e6, beforeNs, afterNs, class: place }
}

/**
 * The slices that a class's rate rests on. Of `unknown` these are all: it has a rate where no class has one, because nothing
 * could be told or the CPUs were moved all the time.
 */
export function slicesIn<T extends Pick<SliceResult, 'class'>>(slices: readonly T[], place: Placement): readonly T[] {
  return place === 'unknown' ? slices : slices.filter((slice) => slice.class === place)
}

/** Medians with intervals of each class that has at least `needed` slices. */
export function classRates(slices: readonly SliceResult[], needed: number, random: Random): ClassRates {
  const rate = (place: Placement): ClassRate | null => {
    const rates = slicesIn(slices, place).map(({ mpps }) => mpps)
    return rates.length === 0 || rates.length < needed
      ? null
      : { mpps: { ...medianInterval(rates, random), slices: rates.length } }
  }
  const [near, between, far] = KNOWN_PLACEMENTS.map(rate)
  const some = near !== null || between !== null || far !== null
  return { near: near!, between: between!, far: far!, unknown: some ? null : rate('unknown') }
}

/** After over before, round by round: of rounds in which both had a slice of the class. */
export function pairedRatios(
  before: readonly SliceResult[],
  after: readonly SliceResult[],
  place: Placement,
): readonly number[] {
  const rates = new Map(slicesIn(before, place).map(({ round, mpps }) => [round, mpps]))
  return slicesIn(after, place).flatMap(({ round, mpps }) => {
    const other = rates.get(round)
    return other === undefined ? [] : [mpps / other]
  })
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
