import { AREAS, type Area } from '@vring/layout'

/** How an access reached memory: `direct`, `copy`, `translated`, or `fallback:<reason>`. */
export type AccessMode = 'direct' | 'copy' | 'translated' | `fallback:${string}`

/**
 * One count, kept by the object that adds to it every round. An array's element: a double from the beginning, whatever
 * it grows to.
 */
export class AccessCount {
  private readonly total = new Float64Array(1)

  get count(): number {
    return this.total[0]!
  }

  add(accesses: number): void {
    this.total[0]! += accesses
  }

  reset(): void {
    this.total[0] = 0
  }
}

/**
 * How many accesses of each area ran in each mode: always on, so that "which mode ran which code" is answered by
 * reading it. Windows count in a small integer of their own and hand it over at the end of a round.
 */
export class AccessCounters {
  readonly #counts: Readonly<Record<Area, Map<AccessMode, AccessCount>>> = {
    desc: new Map(),
    driver: new Map(),
    device: new Map(),
  }

  /** The count of one area in one mode: keep it and add to it, so that a round looks nothing up. */
  counter(area: Area, mode: AccessMode): AccessCount {
    const counts = this.#counts[area]
    let counter = counts.get(mode)
    if (counter === undefined) {
      counter = new AccessCount()
      counts.set(mode, counter)
    }
    return counter
  }

  /** Adds `count` accesses. For slow paths. */
  add(area: Area, mode: AccessMode, count: number): void {
    if (count > 0) this.counter(area, mode).add(count)
  }

  /** Accesses of one area in one mode. */
  get(area: Area, mode: AccessMode): number {
    return this.#counts[area].get(mode)?.count ?? 0
  }

  /** `{ 'desc.direct': 128, 'device.fallback:page-absent': 2, ... }`: what occurred, sorted by key. */
  snapshot(): Record<string, number> {
    const entries = AREAS.flatMap((area) =>
      [...this.#counts[area]].map(([mode, { count }]): [string, number] => [`${area}.${mode}`, count]),
    )
    return Object.fromEntries(entries.filter(([, count]) => count > 0).sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** Sets all counts to zero. */
  reset(): void {
    for (const area of AREAS) for (const counter of this.#counts[area].values()) counter.reset()
  }
}
