import type { MappingSlot, SlotMapping } from './mapping-slot.ts'
import { RangeSync } from './range-sync.ts'
import { Cell } from './sync-port.ts'

/** Accesses count modulo this: far more than can begin during one wait, and a small integer. */
const SEQUENCE_LIMIT = 2 ** 30

/**
 * A number that is odd while an access runs. The notifier unpublishes the mapping, then looks: even means that an access
 * that comes later finds no mapping; odd means one access to wait for.
 *
 * That holds only if the datapath's odd number is visible before it loads the mapping, and the notifier's empty slot
 * before it loads the number. A store before a load on both sides, which takes a full barrier on both sides.
 */
export abstract class ParitySync<M extends SlotMapping> extends RangeSync<M> {
  protected readonly waits: boolean = true
  /** Written by the datapath only. */
  readonly sequence: Cell<number> = new Cell('sequence', 0)

  enter(slot: MappingSlot<M>): M | null {
    const { port } = this
    this.markInside(port.load(this.sequence) + 1)
    return port.load(slot.map)
  }

  leave(): void {
    const { port } = this
    this.markOutside((port.load(this.sequence) + 1) % SEQUENCE_LIMIT)
  }

  /** Publishes the odd number; a later load must not overtake it. */
  protected abstract markInside(sequence: number): void

  /** Publishes the even number; no earlier access may move past it. */
  protected abstract markOutside(sequence: number): void

  protected quiesce(): void {
    const { port } = this
    port.mb()
    const sequence = port.load(this.sequence)
    if ((sequence & 1) === 1) port.waitWhile(this.sequence, sequence)
  }
}
