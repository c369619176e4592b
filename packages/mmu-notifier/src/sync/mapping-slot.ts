import { Cell } from './sync-port.ts'

/** What a strategy does with a mapping when it takes it out of use. */
export interface SlotMapping {
  /** Marks the pages of a written mapping dirty. */
  markDirty(): void
  /** Gives the mapping back. */
  release(): void
}

/** A range of user addresses. */
export interface SlotRange {
  /** First byte. */
  readonly start: number
  /** First byte after it. */
  readonly end: number
}

/** One area of a ring: which range its mapping is of, and the mapping while there is one. */
export class MappingSlot<M extends SlotMapping> {
  readonly name: string
  /** The device writes through the mapping, so that its pages are dirty when it goes. */
  readonly write: boolean
  /** The mapping in use, or null. Loaded between `enter` and `leave` of a strategy. Linux 5.3-rc: vq->maps. */
  readonly map: Cell<M | null>
  /** The range to map, or null: not armed. Linux 5.3-rc: vq->uaddrs. */
  readonly range: Cell<SlotRange | null>

  constructor(name: string, write: boolean) {
    this.name = name
    this.write = write
    this.map = new Cell<M | null>(`${name}.map`, null)
    this.range = new Cell<SlotRange | null>(`${name}.range`, null)
  }
}

/** Do two ranges share a byte? Adjacent ones do not: `end` is exclusive. */
export function overlaps(a: SlotRange, b: SlotRange): boolean {
  return a.start < b.end && b.start < a.end
}
