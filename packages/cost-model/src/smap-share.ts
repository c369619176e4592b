import { PUBLISHED, type PublishedRow, type SetupId } from './published.ts'
import type { Variant } from './variant.ts'

/** What plain mappings saved a packet by the published rates alone, and how much of it SMAP made: no model is in it. */
export interface SmapShare {
  readonly setup: SetupId
  /** ns a packet, with SMAP on. */
  readonly savedNs: number
  /** ns a packet that are saved with SMAP off as well: checks, barriers, calls. */
  readonly withoutSmapNs: number
  /** The part of `savedNs` that only SMAP explains, 0 to 1. */
  readonly share: number
}

/** How a setup reaches the ring directly. */
const DIRECT: Readonly<Record<SetupId, Variant>> = {
  v4: 'vmap-direct',
  merged: 'linear-rcu',
  rework: 'linear-spinlock',
}

/** Differences of the published rates of each setup that has all four. */
export function smapShares(rows: readonly PublishedRow[] = PUBLISHED): SmapShare[] {
  const ns = (setup: SetupId, variant: Variant, smap: boolean): number => {
    const row = rows.find(
      (one) => one.kind === 'rate' && one.setup === setup && one.variant === variant && one.smap === smap,
    )
    return row?.kind === 'rate' ? 1000 / row.mpps : Number.NaN
  }
  return (Object.keys(DIRECT) as SetupId[]).flatMap((setup) => {
    const saved = (smap: boolean): number => ns(setup, 'copy-checked', smap) - ns(setup, DIRECT[setup], smap)
    const [savedNs, withoutSmapNs] = [saved(true), saved(false)]
    if (!Number.isFinite(savedNs + withoutSmapNs)) return []
    return [{ setup, savedNs, withoutSmapNs, share: 1 - withoutSmapNs / savedNs }]
  })
}

/**
 * The masked accessor with SMAP on by differences of the published rates of V4. The barrier that a mask saves with SMAP
 * off is taken to be saved with SMAP on too. Mpps; NaN where a row is missing.
 */
export function maskedByDifference(rows: readonly PublishedRow[] = PUBLISHED): number {
  const ns = (id: string): number => {
    const row = rows.find((one) => one.id === id)
    return row?.kind === 'rate' ? 1000 / row.mpps : Number.NaN
  }
  const saved = ns('v4/copy-checked/smap-off') - ns('v4/nospec-masked/smap-off')
  return 1000 / (ns('v4/copy-checked/smap-on') - saved)
}
