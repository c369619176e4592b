import type { MmuNotifierList } from '@vring/mmu-notifier'

/**
 * Invalidates a range at a steady rate, as migration, compaction or NUMA balancing do to a busy host. Listeners must
 * drop their mappings and make them again. The pages stay where they are, so that the driver can go on writing them.
 */
export class Invalidator {
  /** Invalidations so far. */
  fired = 0
  private readonly notifiers: MmuNotifierList
  private readonly start: number
  private readonly end: number
  private readonly periodMs: number
  private due: number

  /** @param rate invalidations a second */
  constructor(notifiers: MmuNotifierList, address: number, length: number, rate: number) {
    this.notifiers = notifiers
    this.start = address
    this.end = address + length
    this.periodMs = 1000 / rate
    this.due = performance.now() + this.periodMs
  }

  /** Fires once when it is time; called between rounds. One that was missed is not made up for. */
  fireIfDue(): void {
    const now = performance.now()
    if (now < this.due) return
    this.due = Math.max(this.due + this.periodMs, now)
    const range = { start: this.start, end: this.end, event: 'protection-page', blockable: true } as const
    this.notifiers.invalidateRangeStart(range)
    this.notifiers.invalidateRangeEnd(range)
    this.fired++
  }
}
