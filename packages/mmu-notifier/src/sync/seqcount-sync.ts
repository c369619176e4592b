import type { SlotMapping } from './mapping-slot.ts'
import { ParitySync } from './parity-sync.ts'

/**
 * A sequence counter with the datapath on its write side. `write_seqcount_begin` orders stores only, so the mapping could
 * be loaded before the odd number was visible; here it has the missing barrier. Source: fixes v3 and v4 of August 2019,
 * and their review.
 */
export class SeqcountSync<M extends SlotMapping> extends ParitySync<M> {
  protected markInside(sequence: number): void {
    const { port } = this
    port.store(this.sequence, sequence)
    port.wmb()
    this.orderBeforeMapping()
  }

  /** What `write_seqcount_begin` lacks. */
  protected orderBeforeMapping(): void {
    this.port.mb()
  }

  protected markOutside(sequence: number): void {
    const { port } = this
    port.storeRelease(this.sequence, sequence)
  }
}
