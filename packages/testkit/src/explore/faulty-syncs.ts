import {
  Cell,
  CounterSync,
  type MappingSlot,
  type MmuNotifierOps,
  type MmuNotifierRange,
  type MmuNotifierRegistry,
  overlaps,
  type RangeSync,
  RcuSync,
  type Retired,
  SeqcountSync,
  type SlotMapping,
  type SlotRange,
  SpinlockSync,
  type SyncPort,
} from '@vring/mmu-notifier'
import { ModelNotifiers } from './model-notifiers.ts'

// Each class is a shipped strategy with one historical mistake put back, and as little else changed as it takes.

/** M1: the result of the registration is ignored, and what was never taken is given back. */
export class IgnoredRegistrationSync<M extends SlotMapping> extends SpinlockSync<M> {
  override attach(registry: MmuNotifierRegistry): boolean {
    if (!super.attach(registry) && registry instanceof ModelNotifiers)
      this.port.store(this.registration, () => registry.unregister(this))
    return true
  }
}

/** 7f466032dc9e: a count of overlapping invalidations instead of the list of open ones. */
export class CountedSync<M extends SlotMapping> extends RcuSync<M> {
  readonly count: Cell<number> = new Cell('invalidate_count', 0)

  protected override noteStart(range: MmuNotifierRange): void {
    if (this.hits(range)) this.port.store(this.count, this.port.load(this.count) + 1)
  }

  protected override noteEnd(range: MmuNotifierRange): void {
    if (this.hits(range)) this.port.store(this.count, this.port.load(this.count) - 1)
  }

  protected override isInvalidating(_range: SlotRange): boolean {
    return this.port.load(this.count) !== 0
  }
}

/** M2: each change of the ring unregisters and registers again, between a start and its end if it happens so. */
export class ReregisteringSync<M extends SlotMapping> extends CountedSync<M> {
  readonly registry: Cell<MmuNotifierRegistry | null> = new Cell<MmuNotifierRegistry | null>('registry', null)

  override attach(registry: MmuNotifierRegistry): boolean {
    this.port.store(this.registry, registry)
    return super.attach(registry)
  }

  override arm(ranges: readonly (SlotRange | null)[], change?: () => void): void {
    this.detach()
    this.resetCount()
    super.arm(ranges, change)
    const registry = this.port.load(this.registry)
    if (registry !== null) super.attach(registry)
  }

  /** Nothing: what the fourth fix of August 2019 added. */
  protected resetCount(): void {}
}

/** M2, other half: the count is reset, but the end of an invalidation that began before is told. */
export class ResettingSync<M extends SlotMapping> extends ReregisteringSync<M> {
  protected override resetCount(): void {
    this.port.store(this.count, 0)
  }
}

/** M5: mappings are unpublished and marked, never given back. */
export class LeakySync<M extends SlotMapping> extends SpinlockSync<M> {
  protected override retire({ slot, map }: Retired<M>): void {
    if (slot.write) map.markDirty()
  }
}

/** M6: teardown by control does not mark what was written. */
export class CleanTeardownSync<M extends SlotMapping> extends SpinlockSync<M> {
  protected override replaceRanges(ranges: readonly (SlotRange | null)[]): void {
    const { port } = this
    port.spinLock(this.lock)
    for (const { map } of this.unpublish(() => true)) map.release()
    port.store(this.retiring, [])
    port.spinUnlock(this.lock)
    super.replaceRanges(ranges)
  }
}

/** M7: dirty is marked when the mapping is unpublished, while its last writer may be writing. */
export class EarlyDirtySync<M extends SlotMapping> extends CounterSync<M> {
  protected override unpublish(hit: (slot: MappingSlot<M>) => boolean): readonly Retired<M>[] {
    const retired = super.unpublish(hit)
    for (const { slot, map } of retired) if (slot.write) map.markDirty()
    return retired
  }

  protected override retire({ map }: Retired<M>): void {
    map.release()
  }
}

/** M9: the work is done when the invalidation ends (`invalidate_range`), not when it starts. */
export class LateSync<M extends SlotMapping> extends SpinlockSync<M> {
  override invalidateRangeStart(range: MmuNotifierRange): number {
    this.port.spinLock(this.lock)
    this.noteStart(range)
    this.port.spinUnlock(this.lock)
    return 0
  }

  protected override noteEnd(range: MmuNotifierRange): void {
    this.settle(this.unpublish((slot) => this.hitsSlot(slot, range)))
    super.noteEnd(range)
  }
}

/** M10: whatever must not wait is refused, whether it concerns the ring or not. */
export class RefusingSync<M extends SlotMapping> extends RcuSync<M> {
  protected override hits(range: MmuNotifierRange): boolean {
    return !range.blockable || super.hits(range)
  }
}

/** Fix 6: teardown waits for a grace period though no access can run. */
export class StallingTeardownSync<M extends SlotMapping> extends RcuSync<M> {
  protected override replaceRanges(ranges: readonly (SlotRange | null)[]): void {
    super.replaceRanges(ranges)
    this.quiesce()
  }
}

/** M14: one registration for all queues of a device, taken away by the control messages of any of them. */
export class DeviceRegistration<M extends SlotMapping> implements MmuNotifierOps {
  readonly name: string = 'vhost device'
  readonly #queues: RangeSync<M>[] = []

  add(queue: RangeSync<M>): void {
    this.#queues.push(queue)
  }

  invalidateRangeStart(range: MmuNotifierRange): number {
    let status = 0
    for (const queue of this.#queues) status ||= queue.invalidateRangeStart(range)
    return status
  }

  invalidateRangeEnd(range: MmuNotifierRange): void {
    for (const queue of this.#queues) queue.invalidateRangeEnd(range)
  }
}

/** One {@link DeviceRegistration} for the queues of each world that is set up. */
export function sharedRegistration<M extends SlotMapping>(): (
  port: SyncPort,
  slots: readonly MappingSlot<M>[],
) => SharedRegistrationSync<M> {
  const devices = new WeakMap<MmuNotifierRegistry, DeviceRegistration<M>>()
  return (port, slots) => new SharedRegistrationSync(port, slots, devices)
}

/** M14: see {@link DeviceRegistration}. */
export class SharedRegistrationSync<M extends SlotMapping> extends SpinlockSync<M> {
  readonly #devices: WeakMap<MmuNotifierRegistry, DeviceRegistration<M>>
  readonly #registry: Cell<ModelNotifiers | null> = new Cell<ModelNotifiers | null>('registry', null)

  constructor(
    port: SyncPort,
    slots: readonly MappingSlot<M>[],
    devices: WeakMap<MmuNotifierRegistry, DeviceRegistration<M>>,
  ) {
    super(port, slots)
    this.#devices = devices
  }

  override attach(registry: MmuNotifierRegistry): boolean {
    if (!(registry instanceof ModelNotifiers)) return false
    let device = this.#devices.get(registry)
    if (device === undefined) {
      device = new DeviceRegistration()
      this.#devices.set(registry, device)
      registry.register(device)
    }
    device.add(this)
    this.port.store(this.#registry, registry)
    return true
  }

  override arm(ranges: readonly (SlotRange | null)[], change?: () => void): void {
    const registry = this.port.load(this.#registry)!
    const device = this.#devices.get(registry)!
    registry.unregister(device)
    super.arm(ranges, change)
    registry.register(device)
  }
}

/** M15: closing unregisters first and takes the mappings down afterwards. */
export class EarlyUnregisterSync<M extends SlotMapping> extends SpinlockSync<M> {
  override close(): void {
    this.detach()
    super.close()
  }
}

/** M16: `write_seqcount_begin` as it is: the load of the mapping may overtake the odd number. */
export class BarrierlessSeqcountSync<M extends SlotMapping> extends SeqcountSync<M> {
  protected override orderBeforeMapping(): void {}
}

/** M16: a release store and an acquire load, which order nothing between them. */
export class ReleaseAcquireCounterSync<M extends SlotMapping> extends CounterSync<M> {
  protected override markInside(sequence: number): void {
    this.port.storeRelease(this.sequence, sequence)
    this.port.loadAcquire(this.sequence)
  }
}

/** M17: a page that was absent once is never mapped again. */
export class GivingUpSync<M extends SlotMapping> extends SpinlockSync<M> {
  readonly #given: Cell<boolean> = new Cell('gave up', false)

  protected override tryInstall<R extends string>(
    slot: MappingSlot<M>,
    map: (range: SlotRange) => M | R,
  ): R | 'notifier-busy' | 'unmapped' | null {
    if (this.port.load(this.#given)) return 'unmapped'
    const reason = super.tryInstall(slot, map)
    if (reason !== null) this.port.store(this.#given, true)
    return reason
  }
}

/** M18: what an access finds is decided once a round, not once an access. */
export class PerRoundSync<M extends SlotMapping> extends SpinlockSync<M> {
  readonly #kept: ReadonlyMap<MappingSlot<M>, Cell<M | null>>

  constructor(port: SyncPort, slots: readonly MappingSlot<M>[]) {
    super(port, slots)
    this.#kept = new Map(slots.map((slot) => [slot, new Cell<M | null>(`${slot.name} of the round`, null)]))
  }

  override enter(slot: MappingSlot<M>): M | null {
    const kept = this.#kept.get(slot)!
    const map = this.port.load(kept) ?? super.enter(slot)
    if (this.port.load(kept) === null) {
      this.port.spinUnlock(this.lock)
      this.port.store(kept, map)
    }
    return map
  }

  override leave(): void {}

  override endRound(): void {
    for (const kept of this.#kept.values()) this.port.store(kept, null)
    super.endRound()
  }
}

/** M20: range arithmetic in 32 bits. */
export class Narrow32Sync<M extends SlotMapping> extends SpinlockSync<M> {
  protected override hitsSlot(slot: MappingSlot<M>, range: MmuNotifierRange): boolean {
    const armed = this.port.load(slot.range)
    return armed !== null && overlaps(narrow(armed), narrow(range))
  }
}

function narrow({ start, end }: SlotRange): SlotRange {
  return { start: start >>> 0, end: end >>> 0 }
}

/** M21: a failure that is not negative counts as success: what was mapped before stays in use. */
export class PositiveErrorSync<M extends SlotMapping> extends SpinlockSync<M> {
  readonly #before: ReadonlyMap<MappingSlot<M>, Cell<M | null>>

  constructor(port: SyncPort, slots: readonly MappingSlot<M>[]) {
    super(port, slots)
    this.#before = new Map(slots.map((slot) => [slot, new Cell<M | null>(`${slot.name} before`, null)]))
  }

  protected override tryInstall<R extends string>(
    slot: MappingSlot<M>,
    map: (range: SlotRange) => M | R,
  ): R | 'notifier-busy' | 'unmapped' | null {
    const before = this.#before.get(slot)!
    const reason = super.tryInstall(slot, map)
    if (reason === null) this.port.store(before, this.port.load(slot.map))
    else this.port.store(slot.map, this.port.load(before))
    return reason
  }
}

/** M22: the number of pages is that of the length alone, wherever in its first page the area begins. */
export class ShortMapSync<M extends SlotMapping> extends SpinlockSync<M> {
  protected override tryInstall<R extends string>(
    slot: MappingSlot<M>,
    map: (range: SlotRange) => M | R,
  ): R | 'notifier-busy' | 'unmapped' | null {
    return super.tryInstall(slot, ({ start, end }) => {
      const pages = Math.ceil((end - start) / 4096)
      return map({ start, end: Math.min(end, start - (start % 4096) + 4096 * pages) })
    })
  }
}

/** M23: the exclusive end of a range counts as part of it. */
export class InclusiveEndSync<M extends SlotMapping> extends RcuSync<M> {
  protected override hitsSlot(slot: MappingSlot<M>, range: MmuNotifierRange): boolean {
    const armed = this.port.load(slot.range)
    return armed !== null && armed.start <= range.end && range.start <= armed.end
  }
}

/** M26: a flag instead of a count. */
export class FlagSync<M extends SlotMapping> extends SpinlockSync<M> {
  readonly #flag: Cell<boolean> = new Cell('invalidating', false)

  protected override noteStart(range: MmuNotifierRange): void {
    if (this.hits(range)) this.port.store(this.#flag, true)
  }

  protected override noteEnd(range: MmuNotifierRange): void {
    if (this.hits(range)) this.port.store(this.#flag, false)
  }

  protected override isInvalidating(_range: SlotRange): boolean {
    return this.port.load(this.#flag)
  }
}

/** 7f466032dc9e: an invalidation waits for readers only if it has unpublished a mapping itself. */
export class LoneWaitSync<M extends SlotMapping> extends RcuSync<M> {
  override invalidateRangeStart(range: MmuNotifierRange): number {
    const { port } = this
    port.spinLock(this.lock)
    this.noteStart(range)
    const before = port.load(this.retiring)
    const retired = this.unpublish((slot) => this.hitsSlot(slot, range)).filter((one) => !before.includes(one))
    port.spinUnlock(this.lock)
    if (retired.length === 0) return 0
    this.quiesce()
    port.spinLock(this.lock)
    this.settle(retired)
    port.spinUnlock(this.lock)
    return 0
  }
}
