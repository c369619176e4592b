import {
  ACCESSOR_API_VERSION,
  type AccessCount,
  AccessCounters,
  type Accessor,
  type AccessorContext,
  type AccessorPlugin,
  AREAS,
  type Area,
  CheckedScalarsUser2025,
  defineAccessor,
  eraOption,
  type RoundStatus,
  UncheckedUser618,
  UncheckedUser2019,
  type UserAccess,
  type UserCopy,
} from '@vring/accessor'
import type { Iotlb } from '@vring/iotlb'
import { VringError } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE } from '@vring/memory'
import { IovaTranslation } from './iova-translation.ts'
import { TranslatedWindow } from './translated-window.ts'

const NAME = 'iotlb-translated'

/**
 * User access behind a device IOTLB, as vhost does with VIRTIO_F_ACCESS_PLATFORM. Every round begins with metadata
 * prefetch (`vq_meta_prefetch`): a missing translation is asked for and ends the round before it starts.
 * Source: Linux 5.0 `drivers/vhost/vhost.c`, vq_meta_prefetch, iotlb_access_ok, translate_desc.
 */
export const iotlbTranslated: AccessorPlugin = defineAccessor({
  name: NAME,
  apiVersion: ACCESSOR_API_VERSION,
  description: 'device IOTLB with metadata prefetch: a cached translation, then unchecked user access',
  supports: {
    fileBacked: true,
    iotlb: true,
    noIotlb: false,
    needsMmuNotifier: false,
    needsPrefetch: true,
    speculationSafe: true,
    fallsBack: true,
  },
  options: [
    eraOption,
    {
      name: 'prefetch',
      values: ['on', 'off'],
      default: 'on',
      description: 'cache the translation of each area at the start of a round, or look every access up',
    },
  ],
  create: (context, { era, prefetch }) => new IotlbAccessor(context, userAccess(context, era), prefetch === 'on'),
})

export default iotlbTranslated

class IotlbAccessor implements Accessor {
  readonly name: string = NAME
  readonly desc: TranslatedWindow
  readonly avail: TranslatedWindow
  readonly used: TranslatedWindow
  readonly counters: AccessCounters = new AccessCounters()
  private readonly descCounts = new AreaCounts(this.counters, 'desc')
  private readonly availCounts = new AreaCounts(this.counters, 'avail')
  private readonly usedCounts = new AreaCounts(this.counters, 'used')
  readonly #iotlb: Iotlb
  readonly #prefetch: boolean
  #generation: number

  /** @throws VringError ERR_UNSUPPORTED without a device IOTLB */
  constructor(context: AccessorContext, user: UserAccess & UserCopy, prefetch: boolean) {
    const { cpu, iotlb, ring } = context
    if (iotlb === null)
      throw new VringError('ERR_UNSUPPORTED', `${NAME}: there is no device IOTLB to translate ring addresses`, {
        field: 'iotlb',
        value: null,
        accepted: 'a device IOTLB (VIRTIO_F_ACCESS_PLATFORM)',
      })
    const translation = new IovaTranslation(iotlb, cpu)
    this.desc = new TranslatedWindow(user, cpu, iotlb, translation, ring.desc, ACCESS_READ)
    this.avail = new TranslatedWindow(user, cpu, iotlb, translation, ring.avail, ACCESS_READ)
    this.used = new TranslatedWindow(user, cpu, iotlb, translation, ring.used, ACCESS_WRITE)
    this.#iotlb = iotlb
    this.#prefetch = prefetch
    this.#generation = iotlb.generation
  }

  beginRound(): RoundStatus {
    if (!this.#prefetch) return 'ready'
    if (this.#generation !== this.#iotlb.generation) {
      this.#generation = this.#iotlb.generation
      for (const area of AREAS) this[area].forget()
    }
    // The kernel's order; the first area that fails ends the round, so at most one miss is queued a round.
    return this.desc.prefetch() && this.avail.prefetch() && this.used.prefetch() ? 'ready' : 'miss'
  }

  endRound(): void {
    this.descCounts.take(this.desc)
    this.availCounts.take(this.avail)
    this.usedCounts.take(this.used)
  }

  close(): void {
    this.endRound()
    for (const area of AREAS) this[area].forget()
  }
}

/** The counts of one area, looked up once. */
class AreaCounts {
  private readonly translated: AccessCount
  private readonly lookedUp: AccessCount

  constructor(counters: AccessCounters, area: Area) {
    this.translated = counters.counter(area, 'translated')
    this.lookedUp = counters.counter(area, 'fallback:not-cached')
  }

  take(window: TranslatedWindow): void {
    this.translated.add(window.hits)
    this.lookedUp.add(window.lookups)
    window.hits = 0
    window.lookups = 0
  }
}

function userAccess({ cpu, space }: AccessorContext, era: string | undefined): UserAccess & UserCopy {
  if (era === '6.18') return new UncheckedUser618(cpu, space)
  if (era === '2025-checked') return new CheckedScalarsUser2025(cpu, space)
  return new UncheckedUser2019(cpu, space)
}
