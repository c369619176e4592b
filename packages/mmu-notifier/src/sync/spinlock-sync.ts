import type { MappingSlot, SlotMapping } from './mapping-slot.ts'
import { RangeSync } from './range-sync.ts'

/**
 * A spinlock around every access: the notifier that holds it knows that the datapath is outside. It waits for one
 * access at most, needs no sleep and so refuses nothing. The price is a locked operation on every access, which ate
 * most of the gain. Source: fixes v5 of August 2019 and the rework of 5 September 2019.
 */
export class SpinlockSync<M extends SlotMapping> extends RangeSync<M> {
  protected readonly waits: boolean = false

  enter(slot: MappingSlot<M>): M | null {
    this.port.spinLock(this.lock)
    return this.port.load(slot.map)
  }

  leave(): void {
    this.port.spinUnlock(this.lock)
  }

  protected quiesce(): void {}
}
