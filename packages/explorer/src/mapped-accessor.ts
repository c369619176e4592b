import type { Accessor, AccessorContext, UserAccess, Window } from '@vring/accessor'
import type { Area, RingAreas } from '@vring/layout'
import type { MappingKind, MapRefusal } from '@vring/memory'
import type { MappingSlot, MappingSync, SlotMapping, SyncPort } from '@vring/mmu-notifier'

/** Makes the strategy that keeps an accessor's mappings and the MMU notifier apart. */
export type SyncFactory = <M extends SlotMapping>(port: SyncPort, slots: readonly MappingSlot<M>[]) => MappingSync<M>

/** What an accessor under exploration is made with beside its context: its shared variables are the explorer's. */
export interface MappedAccessorOptions {
  readonly name: string
  readonly mapping: MappingKind
  /** How accesses without a mapping reach memory. */
  readonly user: UserAccess
  readonly port: SyncPort
  readonly sync: SyncFactory
}

/** A window whose mapping the explorer can look at. */
export interface MappedWindow extends Window {
  readonly area: Area
  readonly slot: MappingSlot<SlotMapping>
}

/** An accessor that holds mappings which MMU notifiers take away. */
export interface MappedAccessor extends Accessor {
  readonly desc: MappedWindow
  readonly driver: MappedWindow
  readonly device: MappedWindow
  readonly sync: MappingSync<SlotMapping>
  /** SET_VRING_ADDR between two rounds. */
  setRing(ring: RingAreas): void
  /** Takes all mappings down for good. */
  disarm(reason: MapRefusal): void
}

/** The class of such accessors. */
export type MappedAccessorClass = new (context: AccessorContext, options: MappedAccessorOptions) => MappedAccessor

/**
 * What is explored, given by the caller; the explorer depends on no plugin. `@vring/accessor` has them.
 */
export interface MappedAccessorParts {
  readonly DirectAccessor: MappedAccessorClass
  /** Class of a mapping: two of its instances are equal when their fields are. */
  readonly DirectMap: unknown
}
