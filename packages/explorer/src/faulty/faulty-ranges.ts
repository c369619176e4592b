import {
  Cell,
  type MappingSlot,
  type MmuNotifierRange,
  overlaps,
  RcuSync,
  type SlotMapping,
  type SlotRange,
  SpinlockSync,
  type SyncPort,
} from '@vring/mmu-notifier'

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
