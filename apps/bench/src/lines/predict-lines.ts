import { KNOWN_PLACEMENTS } from '../placement/classes.ts'
import type { SliceResult } from '../slices/class-rates.ts'
import { median } from '../stats/index.ts'

/** What one class of a cell was measured at. */
export interface ClassPoint {
  readonly class: (typeof KNOWN_PLACEMENTS)[number]
  /** Median round trip of its slices, ns. */
  readonly roundTripNs: number
  /** 1000 / its median rate in Mpps. */
  readonly nsPerPacket: number
}

/** A cell's profile on this machine: what a packet costs beside its lines, and how many of these are under way at once. */
export interface LineProfile {
  /** ns a packet that do not depend on where the cores are. */
  readonly computeNs: number
  /** Lines under way at once: half a round trip brings this many. */
  readonly overlap: number
}

/** Medians of each class that has a rate. */
export function classPoints(
  slices: readonly SliceResult[],
  rateOf: (place: ClassPoint['class']) => number | null,
): ClassPoint[] {
  return KNOWN_PLACEMENTS.flatMap((place): ClassPoint[] => {
    const mpps = rateOf(place)
    const trips = slices
      .filter((slice) => slice.class === place)
      .flatMap(({ beforeNs, afterNs }) => (beforeNs === null || afterNs === null ? [] : [beforeNs, afterNs]))
    return mpps === null || trips.length === 0
      ? []
      : [{ class: place, roundTripNs: median(trips), nsPerPacket: 1000 / mpps }]
  })
}

/**
 * Fits `ns = compute + lines x (round trip / 2) / overlap` through the nearest and the farthest class, as a line takes
 * half a round trip. Null with fewer than two classes, as one point can't tell compute and overlap from each other.
 * Also null where far is no slower than near: the rate does not depend on lines then. And where nothing is left for the device
 * itself: far costs more than its lines explain.
 */
export function fitLineProfile(points: readonly ClassPoint[], lines: number): LineProfile | null {
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined || first === last) return null
  const slope = (last.nsPerPacket - first.nsPerPacket) / (last.roundTripNs - first.roundTripNs)
  if (!(slope > 0)) return null
  const computeNs = first.nsPerPacket - slope * first.roundTripNs
  return computeNs > 0 ? { computeNs, overlap: lines / 2 / slope } : null
}

/** Mpps that a profile predicts where a round trip takes this long. */
export function predictMpps({ computeNs, overlap }: LineProfile, lines: number, roundTripNs: number): number {
  return 1000 / (computeNs + (lines * roundTripNs) / 2 / overlap)
}
