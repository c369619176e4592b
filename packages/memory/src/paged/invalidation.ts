import type { MmuNotifierEvent, MmuNotifierRange } from '@vring/mmu-notifier'

/** One invalidation of an address space: known by its identity, as others of the same range may be open beside it. */
export class Invalidation implements MmuNotifierRange {
  readonly start: number
  readonly end: number
  readonly event: MmuNotifierEvent
  readonly blockable: boolean

  constructor(start: number, end: number, event: MmuNotifierEvent, blockable: boolean) {
    this.start = start
    this.end = end
    this.event = event
    this.blockable = blockable
  }
}
