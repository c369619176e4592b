import {
  Cell,
  CounterSync,
  type MappingSlot,
  type MmuNotifierRange,
  RcuSync,
  SeqcountSync,
  type SlotMapping,
  SpinlockSync,
  type SyncPort,
} from '@vring/mmu-notifier'

/** M10: whatever must not wait is refused, whether it concerns the ring or not. */
export class RefusingSync<M extends SlotMapping> extends RcuSync<M> {
  protected override hits(range: MmuNotifierRange): boolean {
    return !range.blockable || super.hits(range)
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
