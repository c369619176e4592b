import {
  type AccessCount,
  AccessCounters,
  type Accessor,
  type AccessorContext,
  MappedAreas,
  type RingLease,
  type RoundStatus,
  type UserAccess,
  type UserCopy,
  type Window,
} from '@vring/accessor'
import type { Iotlb } from '@vring/iotlb'
import { AREAS, type Area, VringError } from '@vring/layout'
import type { Access } from '@vring/memory'
import { createSync, PlainSyncPort } from '@vring/mmu-notifier'
import { IovaTranslation } from './iova-translation.ts'
import { TranslatedWindow } from './translated-window.ts'

/** What an {@link IotlbAccessor} is made of beside its context. */
export interface IotlbAccessorOptions {
  readonly user: UserAccess & UserCopy
  /** Cache each area's translation at the start of a round. */
  readonly prefetch: boolean
  readonly putPermission: Access
  /** Map what is translated, shared with the MMU notifier under this strategy; null: user access. */
  readonly direct: string | null
}

/** {@link TranslatedWindow}s over one device IOTLB, and mappings over them where those were asked for. */
export class IotlbAccessor implements Accessor {
  readonly name: string
  readonly desc: Window
  readonly driver: Window
  readonly device: Window
  readonly lease: RingLease | null
  readonly counters: AccessCounters = new AccessCounters()
  private readonly translated: Readonly<Record<Area, TranslatedWindow>>
  private readonly counts: readonly AreaCounts[]
  private readonly mapped: MappedAreas | null
  private readonly lengths: readonly number[]
  private readonly iotlb: Iotlb
  private readonly prefetch: boolean
  private generation: number
  /** User address that each area is mapped at, or -1. */
  private armed: readonly number[] = [-1, -1, -1]
  /** {@link mapped} is in a round. */
  private inRound = false

  /** @throws VringError ERR_UNSUPPORTED without a device IOTLB */
  constructor(name: string, context: AccessorContext, options: IotlbAccessorOptions) {
    const { cpu, space, iotlb, ring } = context
    const { user, putPermission, direct } = options
    if (iotlb === null)
      throw new VringError('ERR_UNSUPPORTED', `${name}: there is no device IOTLB to translate ring addresses`, {
        field: 'iotlb',
        value: null,
        accepted: 'a device IOTLB (VIRTIO_F_ACCESS_PLATFORM)',
      })
    const translation = new IovaTranslation(iotlb, cpu)
    const window = (area: Area): TranslatedWindow =>
      new TranslatedWindow(user, cpu, iotlb, translation, ring[area], putPermission)
    const translated = { desc: window('desc'), driver: window('driver'), device: window('device') }
    this.name = name
    this.translated = translated
    this.mapped =
      direct === null
        ? null
        : new MappedAreas({
            cpu,
            space,
            ring,
            counters: this.counters,
            fallback: translated,
            mapping: 'vmap',
            hold: 'batch',
            port: new PlainSyncPort(cpu),
            sync: (port, slots) => createSync(direct, port, slots),
          })
    // Accesses without a mapping are counted once, under the reason why there is none.
    this.counts = this.mapped === null ? AREAS.map((area) => new AreaCounts(this.counters, area, translated[area])) : []
    const reached = this.mapped ?? translated
    this.desc = reached.desc
    this.driver = reached.driver
    this.device = reached.device
    this.lease = this.mapped?.lease ?? null
    this.lengths = AREAS.map((area) => ring[area].length)
    this.iotlb = iotlb
    this.prefetch = options.prefetch
    this.generation = iotlb.generation
  }

  beginRound(): RoundStatus {
    const { desc, driver, device } = this.translated
    if (this.generation !== this.iotlb.generation) {
      this.generation = this.iotlb.generation
      desc.forget()
      driver.forget()
      device.forget()
    }
    // The kernel's order; the first area that fails ends the round, so at most one miss is queued a round.
    const reached = !this.prefetch || (desc.prefetch() && driver.prefetch() && device.prefetch())
    if (this.mapped !== null) this.map(this.mapped, reached)
    return reached ? 'ready' : 'miss'
  }

  endRound(): void {
    if (this.inRound) this.mapped!.endRound()
    this.inRound = false
    for (const counts of this.counts) counts.take()
  }

  close(): void {
    this.endRound()
    this.mapped?.close()
    for (const area of AREAS) this.translated[area].forget()
  }

  /** Maps what is translated; a mapping whose translation went goes before the round begins. */
  private map(mapped: MappedAreas, reached: boolean): void {
    const { armed, lengths } = this
    const { desc, driver, device } = this.translated
    const descBase = reached ? desc.base : -1
    const driverBase = reached ? driver.base : -1
    const deviceBase = reached ? device.base : -1
    if (descBase !== armed[0] || driverBase !== armed[1] || deviceBase !== armed[2]) {
      const bases = [descBase, driverBase, deviceBase]
      this.armed = bases
      mapped.arm(bases.map((start, index) => (start < 0 ? null : { start, end: start + lengths[index]! })))
    }
    if (!reached) return
    mapped.beginRound()
    this.inRound = true
  }
}

/** The counts of one area, looked up once. */
class AreaCounts {
  private readonly window: TranslatedWindow
  private readonly translated: AccessCount
  private readonly lookedUp: AccessCount

  constructor(counters: AccessCounters, area: Area, window: TranslatedWindow) {
    this.window = window
    this.translated = counters.counter(area, 'translated')
    this.lookedUp = counters.counter(area, 'fallback:not-cached')
  }

  take(): void {
    const { window } = this
    this.translated.add(window.hits)
    this.lookedUp.add(window.lookups)
    window.hits = 0
    window.lookups = 0
  }
}
