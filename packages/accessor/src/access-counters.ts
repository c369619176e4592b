/** The three areas of a virtqueue. */
export type Area = 'desc' | 'avail' | 'used'
/** The areas in the order of Linux `enum vhost_uaddr_type`. */
export const AREAS: readonly Area[] = ['desc', 'avail', 'used']

/** How an access reached memory: `direct`, `copy`, `translated`, or `fallback:<reason>`. */
export type AccessMode = 'direct' | 'copy' | 'translated' | `fallback:${string}`

/**
 * How many accesses of each area ran in each mode: always on, so that "which mode ran which code" is answered by
 * reading it. Windows count in a small integer of their own and hand it over at the end of a round.
 */
export class AccessCounters {
  /** By area, then mode: no string is put together when a round hands its counts over. */
  readonly #counts: Readonly<Record<Area, Map<AccessMode, number>>> = {
    desc: new Map(),
    avail: new Map(),
    used: new Map(),
  }

  /** Adds `count` accesses. Once a round, or on a slow path. */
  add(area: Area, mode: AccessMode, count: number): void {
    if (count === 0) return
    const counts = this.#counts[area]
    counts.set(mode, (counts.get(mode) ?? 0) + count)
  }

  /** Accesses of one area in one mode. */
  get(area: Area, mode: AccessMode): number {
    return this.#counts[area].get(mode) ?? 0
  }

  /** `{ 'desc.direct': 128, 'used.fallback:page-absent': 2, ... }`, sorted by key. */
  snapshot(): Record<string, number> {
    const entries = AREAS.flatMap((area) =>
      [...this.#counts[area]].map(([mode, count]): [string, number] => [`${area}.${mode}`, count]),
    )
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** Forgets all counts. */
  reset(): void {
    for (const area of AREAS) this.#counts[area].clear()
  }
}
