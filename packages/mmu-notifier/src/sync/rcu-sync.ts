import type { MappingSlot, SlotMapping } from './mapping-slot.ts'
import { RangeSync } from './range-sync.ts'

/**
 * RCU: accesses cost nothing, and the notifier waits for a grace period. That is every reader of the machine, those of
 * other virtual machines too. It is a wait without bound under locks of memory management. Source: commit 7f466032dc9e.
 */
export class RcuSync<M extends SlotMapping> extends RangeSync<M> {
  protected readonly waits: boolean = true

  enter(slot: MappingSlot<M>): M | null {
    this.port.rcuReadLock()
    return this.port.load(slot.map)
  }

  leave(): void {
    this.port.rcuReadUnlock()
  }

  protected quiesce(): void {
    this.port.synchronizeRcu()
  }
}
