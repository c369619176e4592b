import type { IntervalNotifier, IntervalNotifierOps, IntervalNotifiers } from '../interval-notifier.ts'
import type { MmuNotifierRegistry } from '../mmu-notifier.ts'
import type { MmuNotifierRange } from '../mmu-notifier-range.ts'
import type { MappingSlot, SlotMapping, SlotRange } from './mapping-slot.ts'
import { MappingSync } from './mapping-sync.ts'
import { Cell } from './sync-port.ts'

/**
 * Interval notifiers, one a slot. The address space keeps the sequence of invalidations, and what is left to the device
 * is one lock around accesses and one retry around mapping. J. Gunthorpe offered it as removing most of the 2019 code.
 * Source: Linux 6.18 `mm/mmu_notifier.c`, `mmu_interval_read_begin`.
 */
export class IntervalSync<M extends SlotMapping> extends MappingSync<M> implements IntervalNotifierOps {
  readonly name: string = 'vhost'
  readonly intervals: Cell<readonly (IntervalNotifier | null)[]> = new Cell<readonly (IntervalNotifier | null)[]>(
    'intervals',
    [],
  )
  readonly tree: Cell<IntervalNotifiers | null> = new Cell<IntervalNotifiers | null>('tree', null)

  attach(registry: MmuNotifierRegistry): boolean {
    if (registry.intervals === undefined) return false
    this.port.store(this.tree, registry.intervals)
    return true
  }

  enter(slot: MappingSlot<M>): M | null {
    this.port.spinLock(this.lock)
    return this.port.load(slot.map)
  }

  leave(): void {
    this.port.spinUnlock(this.lock)
  }

  install<R extends string>(
    slot: MappingSlot<M>,
    map: (range: SlotRange) => M | R,
  ): R | 'notifier-busy' | 'unmapped' | null {
    const { port } = this
    if (port.load(slot.map) !== null) return null
    const tree = port.load(this.tree)
    const interval = port.load(this.intervals)[this.slots.indexOf(slot)] ?? null
    if (tree === null || interval === null) return 'unmapped'
    const seq = tree.readBegin(interval)
    // Linux sleeps until the invalidation ends; a round does not wait, its accesses fall back.
    if (seq < 0) return 'notifier-busy'
    const mapped = map(interval)
    if (typeof mapped === 'string') return mapped
    port.spinLock(this.lock)
    const stale = tree.readRetry(interval, seq)
    if (!stale) port.storeRelease(slot.map, mapped)
    port.spinUnlock(this.lock)
    if (!stale) return null
    mapped.release()
    return 'notifier-busy'
  }

  /** Never waits longer than one access, so it refuses nothing. */
  invalidate(interval: IntervalNotifier, _range: MmuNotifierRange, seq: number): boolean {
    const { port } = this
    port.spinLock(this.lock)
    // Under the lock that the reader retries under: it either sees this sequence or has published before.
    interval.setSeq(seq)
    const index = port.load(this.intervals).indexOf(interval)
    this.settle(this.unpublish((slot) => this.slots[index] === slot))
    port.spinUnlock(this.lock)
    return true
  }

  /** Under the round mutex, so no lookup runs between the old intervals and the new ones. */
  protected override replaceRanges(ranges: readonly (SlotRange | null)[]): void {
    const { port } = this
    super.replaceRanges(ranges)
    const tree = port.load(this.tree)
    if (tree === null) return
    for (const interval of port.load(this.intervals)) if (interval !== null) tree.remove(interval)
    const next = ranges.map((range) => range && tree.insert(range.start, range.end - range.start, this))
    port.store(this.intervals, next)
  }

  /** The intervals went with the ranges. */
  protected detach(): void {
    this.port.store(this.tree, null)
  }
}
