import { BASELINE, type CellSpec } from '../cell/cell-spec.ts'
import { isBuiltIn } from '../load-registry.ts'
import { PLACEMENTS, type Placement } from '../placement/classes.ts'
import type { Results } from '../results/results.ts'
import { classRates, pairedRatios, sliceResult } from '../slices/class-rates.ts'
import { type Interval, medianInterval, type Random, ratioInterval } from '../stats/index.ts'
import type { CellOutcome, GroupOutcome } from './group-outcome.ts'

/** How much of a difference is none. */
export type NoiseFloor = NonNullable<Results['noiseFloor']>

/**
 * The cell that runs a second time, against itself: the first with an accessor that is built in, else the first with
 * any.
 */
export function twiceRun(specs: readonly CellSpec[]): CellSpec[] {
  const accessors = specs.filter(({ accessor }) => accessor !== BASELINE)
  const first = accessors.find(({ accessor }) => isBuiltIn('accessor', accessor)) ?? accessors[0]
  return first === undefined ? [] : [first]
}

/**
 * A cell against itself in another process: per class where its driver has a core of its own. Null: it was not measured.
 *
 * @param needed slices that a class needs
 */
export function noiseFloorOf({ cells, self }: GroupOutcome, needed: number, random: Random): NoiseFloor | null {
  const same = cells.find(({ spec }) => spec.id === self?.spec.id)
  if (self === null || same === undefined || self.trials.length === 0 || same.trials.length === 0) return null
  const { low, high } = ratioInterval(rates(same), rates(self), random)
  if (same.slices === null || self.slices === null) return { ratioLow: low, ratioHigh: high }
  const [one, other] = [same.slices.map(sliceResult), self.slices.map(sliceResult)]
  const known = [classRates(one, needed, random), classRates(other, needed, random)]
  const classes = Object.fromEntries(
    PLACEMENTS.map((place): [Placement, (Interval & { slices: number }) | null] => {
      const ratios = pairedRatios(one, other, place)
      const slices = ratios.flat().length
      const measured = known.every((rates) => rates[place] !== null) && slices > 0
      return [place, measured ? { ...medianInterval(ratios, random), slices } : null]
    }),
  ) as NoiseFloor['classes']
  return { ratioLow: low, ratioHigh: high, classes }
}

/**
 * The difference below which there is no verdict, as a factor less 1: 0.02 is 2 %. Null: a cell was not measured
 * against itself in this class, so any difference may be none.
 */
export function floorFor(noiseFloor: NoiseFloor | null, place: Placement | null): number | null {
  if (noiseFloor === null) return null
  if (place === null) return reach(noiseFloor.ratioLow, noiseFloor.ratioHigh)
  const interval = noiseFloor.classes?.[place] ?? null
  return interval === null ? null : reach(interval.low, interval.high)
}

/** Of a comparison of two runs: the larger floor of the two; null where one of them does not know its own. */
export function floorOfBoth(
  { noiseFloor: one }: Pick<Results, 'noiseFloor'>,
  { noiseFloor: other }: Pick<Results, 'noiseFloor'>,
  place: Placement | null,
): number | null {
  const floors = [floorFor(one, place), floorFor(other, place)]
  const known = floors.flatMap((floor) => floor ?? [])
  // Of trials on one core a run without a floor, such as of a smoke run, has none; slices need theirs.
  return known.length === 0 || (place !== null && known.length < 2) ? null : Math.max(...known)
}

function reach(low: number, high: number): number {
  return Math.max(high, 1 / low, 1) - 1
}

function rates({ trials }: Pick<CellOutcome, 'trials'>): number[] {
  return trials.map(({ packets, seconds }) => packets / seconds)
}
