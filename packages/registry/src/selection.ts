import type { AccessorPlugin } from '@vring/accessor'
import { VringError } from '@vring/layout'

/** What a device has to work with; what selection asks of an accessor. */
export interface SelectionConditions {
  /** The ring lies in a file mapping that needs writeback. Default false. */
  readonly fileBacked?: boolean
  /** VIRTIO_F_ACCESS_PLATFORM was negotiated: ring addresses are IOVAs. Default false. */
  readonly iotlb?: boolean
  /** Rounds begin with metadata prefetch. Default true. */
  readonly prefetch?: boolean
  /** The address space calls MMU notifiers. Default true. */
  readonly notifier?: boolean
  /** Only accessors that stay safe when a check before an access is mispredicted. Default false. */
  readonly speculationSafe?: boolean
  /** Take this accessor whatever the conditions, as long as it can work at all. */
  readonly force?: string
}

/** One accessor that does not serve, and why. */
export interface Rejection {
  readonly name: string
  readonly reason: string
}

/** Which accessor serves, why, and why each other one does not. */
export interface Selection {
  readonly chosen: string
  readonly why: string
  readonly rejected: readonly Rejection[]
}

/**
 * Chooses among accessors given in order of preference: the one that least speaks against, the first of several.
 *
 * @throws VringError ERR_UNSUPPORTED when none can work, or the forced one can't
 */
export function selectAccessor(preference: readonly AccessorPlugin[], conditions: SelectionConditions = {}): Selection {
  const { force } = conditions
  const candidates = preference.map((plugin) => ({ plugin, ...objectionTo(plugin, conditions) }))
  const ranked = candidates.filter(({ plugin }) => force === undefined || plugin.name === force)
  const chosen = ranked.reduce((best, next) => (next.weight < best.weight ? next : best), ranked[0] ?? NONE)
  if (chosen.weight >= Weight.fatal || chosen.plugin === null) {
    const reasons = ranked.map(({ plugin, reason }) => `${plugin.name}: ${reason}`).join('; ')
    throw new VringError('ERR_UNSUPPORTED', `no accessor can serve this ring (${reasons})`, {
      field: 'accessor',
      value: force,
    })
  }
  const { name, description } = chosen.plugin
  const rejected = candidates
    .filter(({ plugin }) => plugin !== chosen.plugin)
    .map(({ plugin, reason }): Rejection => {
      if (reason !== '') return { name: plugin.name, reason }
      return {
        name: plugin.name,
        reason: force === undefined ? `would work; ${name} comes first in preference` : `would work; ${name} is forced`,
      }
    })
  return {
    chosen: name,
    why: `${whyChosen(force !== undefined, chosen.weight, chosen.reason)}: ${description}`,
    rejected,
  }
}

function whyChosen(forced: boolean, weight: number, reason: string): string {
  if (weight === Weight.none) return forced ? 'forced' : 'first in preference of those that nothing speaks against'
  return forced ? `forced, although ${reason}` : `the best that works here, although ${reason}`
}

/** How much an objection weighs. */
const Weight = {
  /** Nothing speaks against it. */
  none: 0,
  /** It works, without the gain it is chosen for. */
  slower: 1,
  /** It works by falling back at every access. */
  fallback: 2,
  /** It can't work. */
  fatal: 3,
} as const

interface Objection {
  readonly weight: number
  readonly reason: string
}

const NONE = { plugin: null, weight: Weight.fatal, reason: 'no accessor is registered' }

function objectionTo({ supports }: AccessorPlugin, conditions: SelectionConditions): Objection {
  const { fileBacked = false, iotlb = false, prefetch = true, notifier = true, speculationSafe = false } = conditions
  const refuse = (reason: string): Objection =>
    supports.fallsBack
      ? { weight: Weight.fallback, reason: `${reason}: every access would fall back` }
      : { weight: Weight.fatal, reason }
  if (!iotlb && !supports.noIotlb)
    return { weight: Weight.fatal, reason: 'it works through a device IOTLB only and none is on' }
  // Falling back does not help: what it falls back to takes ring addresses as user addresses, too.
  if (iotlb && !supports.iotlb)
    return { weight: Weight.fatal, reason: 'it does not translate IOVAs and a device IOTLB is on' }
  if (fileBacked && !supports.fileBacked) return refuse('the ring is file-backed and its writes would escape writeback')
  if (!notifier && supports.needsMmuNotifier)
    return refuse('it keeps mappings and the address space has no MMU notifier to end them')
  if (speculationSafe && !supports.speculationSafe)
    return {
      weight: Weight.fatal,
      reason: 'it leaves neither a barrier nor a data dependency between a check and the access after it',
    }
  if (!prefetch && supports.needsPrefetch)
    return {
      weight: supports.fallsBack ? Weight.fallback : Weight.slower,
      reason: 'it maps or caches when a round begins and this device does not prefetch',
    }
  return { weight: Weight.none, reason: '' }
}
