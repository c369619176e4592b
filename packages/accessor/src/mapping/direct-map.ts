import type { KernelMapping, MemoryView } from '@vring/memory'
import type { SlotMapping } from '@vring/mmu-notifier'

/** A kernel mapping with what every access needs in plain fields, whatever class the address space made it of. */
export class DirectMap implements SlotMapping {
  readonly view: MemoryView
  /** Byte offset in {@link view} of the area's first byte, or -1: not contiguous, ask {@link offsetOf}. */
  readonly base: number
  readonly mapping: KernelMapping

  constructor(mapping: KernelMapping) {
    this.view = mapping.view
    this.base = mapping.base
    this.mapping = mapping
  }

  /** Byte offset in {@link view} of `offset` in the area. */
  offsetOf(offset: number): number {
    return this.mapping.offsetOf(offset)
  }

  markDirty(): void {
    this.mapping.markDirty()
  }

  release(): void {
    this.mapping.release()
  }
}
