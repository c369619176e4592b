import { EAGAIN, isVringError } from '@vring/layout'
import type { MmuNotifierOps, MmuNotifierRegistry, Unregister } from '../mmu-notifier.ts'
import type { MmuNotifierRange } from '../mmu-notifier-range.ts'
import { type MappingSlot, overlaps, type SlotMapping, type SlotRange } from './mapping-slot.ts'
import { MappingSync } from './mapping-sync.ts'
import { Cell } from './sync-port.ts'

/**
 * Strategies on range notifiers (`invalidate_range_start`, `invalidate_range_end`).
 *
 * The open invalidations are kept as a list, not as a count. A count of those that overlap goes wrong when a ring moves
 * between a start and its end, and when a registration ends between the two. It also goes wrong when the end of a
 * refused start is told (Linux 6.18). "May this range be mapped?", asked of the list, can't go wrong. Source of the
 * hazards: review of 7f466032dc9e.
 */
export abstract class RangeSync<M extends SlotMapping> extends MappingSync<M> implements MmuNotifierOps {
  readonly name: string = 'vhost'
  readonly open: Cell<readonly MmuNotifierRange[]> = new Cell<readonly MmuNotifierRange[]>('open', [])
  readonly registration: Cell<Unregister | null> = new Cell<Unregister | null>('registration', null)

  /** Waits until no access that entered before still uses an unpublished mapping; false when none can. */
  protected abstract readonly waits: boolean
  protected abstract quiesce(): void

  attach(registry: MmuNotifierRegistry): boolean {
    try {
      this.port.store(this.registration, registry.register(this))
      return true
    } catch (error) {
      // e58112d71f77: the result was ignored, and the unregistration dropped a reference that was not taken.
      if (!isVringError(error) || error.code !== 'ERR_NOTIFIER') throw error
      return false
    }
  }

  protected detach(): void {
    const unregister = this.port.load(this.registration)
    if (unregister === null) return
    this.port.store(this.registration, null)
    unregister()
  }

  install<R extends string>(
    slot: MappingSlot<M>,
    map: (range: SlotRange) => M | R,
  ): R | 'notifier-busy' | 'unmapped' | null {
    const { port } = this
    // Only the datapath installs, so what it finds mapped was mapped by itself; the notifier may still take it away.
    if (port.load(slot.map) !== null) return null
    port.spinLock(this.lock)
    const reason = this.tryInstall(slot, map)
    port.spinUnlock(this.lock)
    return reason
  }

  /** Under the lock, so that the check, the lookup of the pages and the publication are one against invalidations. */
  protected tryInstall<R extends string>(
    slot: MappingSlot<M>,
    map: (range: SlotRange) => M | R,
  ): R | 'notifier-busy' | 'unmapped' | null {
    const { port } = this
    const range = port.load(slot.range)
    if (range === null) return 'unmapped'
    if (this.isInvalidating(range)) return 'notifier-busy'
    const mapped = map(range)
    if (typeof mapped === 'string') return mapped
    port.storeRelease(slot.map, mapped)
    return null
  }

  /** @returns 0, or -EAGAIN when it would have to wait and must not */
  invalidateRangeStart(range: MmuNotifierRange): number {
    const { port } = this
    port.spinLock(this.lock)
    const hit = this.hits(range)
    if (hit && this.waits && !range.blockable) {
      port.spinUnlock(this.lock)
      return EAGAIN
    }
    this.noteStart(range)
    const retired = this.unpublish((slot) => this.hitsSlot(slot, range))
    if (!hit || !this.waits) {
      this.settle(retired)
      port.spinUnlock(this.lock)
      return 0
    }
    port.spinUnlock(this.lock)
    // Also when nothing was unpublished here: an invalidation in parallel may have, and its reader may still be inside.
    this.quiesce()
    port.spinLock(this.lock)
    this.settle(retired)
    port.spinUnlock(this.lock)
    return 0
  }

  /** The end of a start that was refused, or that was never told, changes nothing. */
  invalidateRangeEnd(range: MmuNotifierRange): void {
    const { port } = this
    port.spinLock(this.lock)
    this.noteEnd(range)
    port.spinUnlock(this.lock)
  }

  /** The address space goes away: as an invalidation of everything that never ends. */
  release(): void {
    const { port, slots } = this
    port.spinLock(this.lock)
    for (const slot of slots) port.store(slot.range, null)
    const retired = this.unpublish(() => true)
    port.spinUnlock(this.lock)
    this.quiesce()
    port.spinLock(this.lock)
    this.settle(retired)
    port.spinUnlock(this.lock)
  }

  protected noteStart(range: MmuNotifierRange): void {
    const { port } = this
    port.store(this.open, [...port.load(this.open), range])
  }

  protected noteEnd(range: MmuNotifierRange): void {
    const { port } = this
    const open = port.load(this.open)
    port.store(
      this.open,
      open.filter((other) => other !== range),
    )
  }

  /** Is an invalidation of any byte of `range` open? */
  protected isInvalidating(range: SlotRange): boolean {
    return this.port.load(this.open).some((other) => overlaps(other, range))
  }

  /** Does `range` concern any slot? */
  protected hits(range: MmuNotifierRange): boolean {
    return this.slots.some((slot) => this.hitsSlot(slot, range))
  }

  protected hitsSlot(slot: MappingSlot<M>, range: MmuNotifierRange): boolean {
    const armed = this.port.load(slot.range)
    return armed !== null && overlaps(armed, range)
  }
}
