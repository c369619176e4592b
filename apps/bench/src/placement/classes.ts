import type { RoundTrip } from './core-probe.ts'

/**
 * How far apart the two CPUs of a driver and a device are. `unknown`: nothing could be told, so rates of it are
 * compared with nothing else.
 */
export const PLACEMENTS = ['near', 'between', 'far', 'unknown'] as const
export type Placement = (typeof PLACEMENTS)[number]

/** Placements that a round trip tells. */
export const KNOWN_PLACEMENTS = ['near', 'between', 'far'] as const

/** Round trips, ns, at which one class ends and the next begins. */
export interface ClassBounds {
  /** Below it is near. */
  readonly nearNs: number
  /** From it on is far. */
  readonly farNs: number
}

/**
 * Where classes end on processors of today, whatever their clock: what a line crosses is what it takes.
 *
 * - near: the line stays in one core (two threads of it) or in one cluster that shares a cache (a CCX of AMD's). Or it
 *   goes to a neighbour on the mesh. That is 15 to 60 ns there and back.
 * - between: across the mesh or from die to die, in one socket: 90 to 200 ns.
 * - far: through the link between two sockets: from 250 ns on.
 *
 * Each bound is the geometric mean of the two sides of its gap, as times of a class differ by factors and not by sums.
 * They are sqrt(60 x 110) and sqrt(145 x 350), rounded. A machine whose own gaps are elsewhere has `--classes`;
 * `vring-bench cores` says when a round trip lies too near to a bound.
 */
export const DEFAULT_BOUNDS: ClassBounds = { nearNs: 80, farNs: 225 }

/** A round trip this far from a bound, as a factor, could be of either class. */
const NEAR_BOUND = 1.1

/** The two ends of a slice that differ by more than this factor are of two placements of one class. */
const ENDS_DIFFER = 1.4

/** The class of a round trip. */
export function classOf(ns: number, { nearNs, farNs }: ClassBounds): 'near' | 'between' | 'far' {
  return ns < nearNs ? 'near' : ns < farNs ? 'between' : 'far'
}

/** Does a round trip lie where the next measurement may put it into another class? */
export function isAtBound(ns: number, { nearNs, farNs }: ClassBounds): boolean {
  return [nearNs, farNs].some((bound) => Math.max(ns / bound, bound / ns) < NEAR_BOUND)
}

/**
 * The class of a slice by the round trips before and after it. `mixed`: they differ, so the CPUs were moved within it.
 */
export function sliceClass(
  before: Pick<RoundTrip, 'ns'>,
  after: Pick<RoundTrip, 'ns'>,
  bounds: ClassBounds,
): Placement | 'mixed' {
  if (before.ns === null || after.ns === null) return 'unknown'
  const [first, last] = [classOf(before.ns, bounds), classOf(after.ns, bounds)]
  const factor = Math.max(before.ns / after.ns, after.ns / before.ns)
  return first === last && factor < ENDS_DIFFER ? first : 'mixed'
}
