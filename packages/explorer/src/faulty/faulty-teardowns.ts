import {
  CounterSync,
  type MappingSlot,
  type MmuNotifierRange,
  RcuSync,
  type Retired,
  type SlotMapping,
  type SlotRange,
  SpinlockSync,
} from '@vring/mmu-notifier'

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

/** Fix 6: teardown waits for a grace period though no access can run. */
export class StallingTeardownSync<M extends SlotMapping> extends RcuSync<M> {
  protected override replaceRanges(ranges: readonly (SlotRange | null)[]): void {
    super.replaceRanges(ranges)
    this.quiesce()
  }
}
