import type { SlotMapping } from './mapping-slot.ts'
import { ParitySync } from './parity-sync.ts'

/**
 * An open-coded counter. Its first form paired a release store with an acquire load, neither of which keeps a later
 * load from overtaking the store. Here a full barrier does. Source: fixes v2 of August 2019.
 */
export class CounterSync<M extends SlotMapping> extends ParitySync<M> {
  protected markInside(sequence: number): void {
    const { port } = this
    port.storeRelease(this.sequence, sequence)
    port.mb()
  }

  protected markOutside(sequence: number): void {
    this.port.storeRelease(this.sequence, sequence)
  }
}
