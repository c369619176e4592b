import { AREAS, type Area, mayWrite, type RingAreas } from '@vring/layout'
import type { MappingKind, MapRefusal, UserSpace } from '@vring/memory'
import { Cell, MappingSlot, type MappingSync, type SlotRange, type SyncPort } from '@vring/mmu-notifier'
import type { AccessCounters } from '../contract/access-counters.ts'
import { type LeaseHolder, RingLease } from '../contract/ring-lease.ts'
import type { Window } from '../contract/window.ts'
import type { Cpu } from '../ports/cpu.ts'
import type { DirectMap } from './direct-map.ts'
import { type MappedQueue, MappedWindow } from './mapped-window.ts'

/** How long an access keeps the notifier out: a batch of them (by a lease), or one, as it was published. */
export type HoldKind = 'batch' | 'access'

/** What {@link MappedAreas} are made of. */
export interface MappedAreasOptions {
  readonly cpu: Cpu
  readonly space: UserSpace
  readonly ring: RingAreas
  readonly counters: AccessCounters
  /** How accesses without a mapping reach memory. */
  readonly fallback: Readonly<Record<Area, Window>>
  readonly mapping: MappingKind
  readonly hold: HoldKind
  /** Where shared variables and locks are. */
  readonly port: SyncPort
  /** Makes the strategy that keeps the mappings and the MMU notifier apart. */
  readonly sync: (port: SyncPort, slots: readonly MappingSlot<DirectMap>[]) => MappingSync<DirectMap>
}

/**
 * The three areas of a ring, each through a mapping of its own. A mapping is made at the beginning of a round and taken
 * away by the MMU notifier. It is shared under one strategy, and used by a lease or by windows. A space that refuses
 * the registration is never mapped: every access falls back.
 */
export class MappedAreas implements LeaseHolder {
  readonly desc: MappedWindow
  readonly driver: MappedWindow
  readonly device: MappedWindow
  readonly lease: RingLease | null
  readonly sync: MappingSync<DirectMap>
  private readonly port: SyncPort
  /** The mappings whose places the lease has. */
  private placedDesc: DirectMap | null = null
  private placedDriver: DirectMap | null = null
  private placedDevice: DirectMap | null = null
  /** Why nothing may be mapped, or null. */
  private readonly obstacle: Cell<MapRefusal | null> = new Cell<MapRefusal | null>('obstacle', null)

  constructor(options: MappedAreasOptions) {
    const { cpu, space, ring, counters, fallback, mapping, port } = options
    const slots = AREAS.map((area) => new MappingSlot<DirectMap>(area, mayWrite(ring[area])))
    this.port = port
    this.sync = options.sync(port, slots)
    const queue: MappedQueue = { cpu, space, port, sync: this.sync, counters, mapping }
    const [desc, driver, device] = AREAS.map(
      (area, index) => new MappedWindow(slots[index]!, area, ring[area], fallback[area], queue),
    ) as [MappedWindow, MappedWindow, MappedWindow]
    this.desc = desc
    this.driver = driver
    this.device = device
    this.lease = options.hold === 'batch' ? new RingLease(this, counters) : null
    if (!this.sync.attach(space.notifiers)) this.obstruct('no-notifier')
  }

  /** Maps what is not mapped; inside {@link endRound} nothing else may change the ring. */
  beginRound(): void {
    this.sync.beginRound()
    if (this.port.load(this.obstacle) !== null) return
    this.desc.prefetch()
    this.driver.prefetch()
    this.device.prefetch()
  }

  endRound(): void {
    this.desc.flush()
    this.driver.flush()
    this.device.flush()
    this.sync.endRound()
  }

  /** The notifier waits for the batch as it would for an access. */
  hold(lease: RingLease): boolean {
    const { sync } = this
    const desc = sync.enter(this.desc.slot)
    const driver = sync.within(this.driver.slot)
    const device = sync.within(this.device.slot)
    if (desc === this.placedDesc && driver === this.placedDriver && device === this.placedDevice && desc !== null)
      return true
    if (this.place(lease, desc, driver, device)) return true
    sync.leave()
    return false
  }

  drop(): void {
    this.sync.leave()
  }

  /**
   * The user addresses to map from now on, between two rounds; null: nothing is mapped. No mapping of the old ones survives.
   *
   * @param change what else changes with them
   */
  arm(ranges: readonly (SlotRange | null)[], change?: () => void): void {
    const armed = this.port.load(this.obstacle) === null
    this.sync.arm(armed ? ranges : NO_RANGES, change)
  }

  /** Takes all mappings down for good; accesses fall back under this reason. */
  disarm(reason: MapRefusal): void {
    this.sync.arm(NO_RANGES)
    this.obstruct(reason)
  }

  close(): void {
    this.sync.close()
    for (const area of AREAS) this[area].flush()
  }

  private place(lease: RingLease, desc: DirectMap | null, driver: DirectMap | null, device: DirectMap | null): boolean {
    if (desc === null || driver === null || device === null) return false
    if (desc.base < 0 || driver.base < 0 || device.base < 0) return false
    lease.place('desc', desc.view, desc.base)
    lease.place('driver', driver.view, driver.base)
    lease.place('device', device.view, device.base)
    this.placedDesc = desc
    this.placedDriver = driver
    this.placedDevice = device
    return true
  }

  private obstruct(reason: MapRefusal): void {
    this.port.store(this.obstacle, reason)
    for (const area of AREAS) this[area].because(reason)
  }
}

const NO_RANGES: readonly (SlotRange | null)[] = [null, null, null]

/** The user addresses of a ring's areas. */
export function rangesOf(ring: RingAreas): readonly SlotRange[] {
  return AREAS.map((area) => {
    const { address, length } = ring[area]
    return { start: address, end: address + length }
  })
}
