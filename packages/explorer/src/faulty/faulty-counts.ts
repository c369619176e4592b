import {
  Cell,
  type MmuNotifierRange,
  RcuSync,
  type SlotMapping,
  type SlotRange,
  SpinlockSync,
} from '@vring/mmu-notifier'

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
