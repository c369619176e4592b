import type { MmuNotifierRegistry } from '../mmu-notifier.ts'
import type { MappingSlot, SlotMapping, SlotRange } from './mapping-slot.ts'
import { Cell, Lock, type SyncPort } from './sync-port.ts'

/** A mapping that was taken out of use and whose readers may not have left. */
export interface Retired<M extends SlotMapping> {
  readonly slot: MappingSlot<M>
  readonly map: M
}

/**
 * How the direct mappings of one queue are shared between the datapath, which uses them, and the MMU notifier, which
 * takes them away. One subclass a strategy; each is an answer to "how does the notifier know that the datapath has left?"
 *
 * ```
 *   datapath                       notifier                        control
 *   beginRound   round mutex       start of an invalidation:       arm(ranges)
 *     install    map if none is      unpublish the mappings,       close()
 *     enter      -> map | null       wait for the last use,
 *     leave                          mark dirty, release           under the round mutex,
 *   endRound                       end: mapping is allowed again   so that no access runs
 * ```
 *
 * All that changes is in {@link Cell}s, reached through the {@link SyncPort}; a strategy keeps no other state.
 */
export abstract class MappingSync<M extends SlotMapping> {
  readonly port: SyncPort
  readonly slots: readonly MappingSlot<M>[]
  /** Held by the datapath for a round and by control for a change of the ring. Linux: vq->mutex. */
  readonly roundMutex: Lock = new Lock('vq mutex')
  /** Held for a few steps to change mappings. Linux 5.3-rc: vq->mmu_lock. */
  readonly lock: Lock = new Lock('mmu_lock')
  /**
   * Mappings that are unpublished, but not yet marked dirty and released. A second invalidation that runs in parallel
   * must not return before that is done either, so it finds them here.
   */
  readonly retiring: Cell<readonly Retired<M>[]> = new Cell<readonly Retired<M>[]>('retiring', [])

  constructor(port: SyncPort, slots: readonly MappingSlot<M>[]) {
    this.port = port
    this.slots = slots
  }

  /**
   * Registers with an address space, once, before {@link arm}.
   *
   * @returns false when the registration was refused: then nothing must ever be mapped
   */
  abstract attach(registry: MmuNotifierRegistry): boolean

  /** Begins an access: the mapping to use until {@link leave}, or null. Each `enter` has its `leave`, null or not. */
  abstract enter(slot: MappingSlot<M>): M | null

  abstract leave(): void

  /** Inside an access that {@link enter} began: the mapping of another slot of the queue, or null. */
  within(slot: MappingSlot<M>): M | null {
    return this.port.load(slot.map)
  }

  /**
   * Maps a slot that has no mapping. Called by the datapath inside a round.
   *
   * @param map maps the range, or says why not
   * @returns null when the slot is mapped. Else the reason: what `map` gave, `notifier-busy` while an invalidation of
   * the range is open, `unmapped` when the slot is not armed
   */
  abstract install<R extends string>(
    slot: MappingSlot<M>,
    map: (range: SlotRange) => M | R,
  ): R | 'notifier-busy' | 'unmapped' | null

  /** Gives the registration back; nothing is mapped any more. */
  protected abstract detach(): void

  beginRound(): void {
    this.port.mutexLock(this.roundMutex)
  }

  endRound(): void {
    this.port.mutexUnlock(this.roundMutex)
  }

  /**
   * Takes all mappings down and sets the ranges to map from now on, one a slot; null: none.
   *
   * @param change what else changes between two rounds: under the round mutex, with nothing mapped
   */
  arm(ranges: readonly (SlotRange | null)[], change?: () => void): void {
    const { port } = this
    port.mutexLock(this.roundMutex)
    this.replaceRanges(ranges)
    change?.()
    port.mutexUnlock(this.roundMutex)
  }

  /** Takes all mappings down for good. */
  close(): void {
    const { port } = this
    // Ranges first, registration last: in between, an invalidation still finds a listener and nothing to do.
    port.mutexLock(this.roundMutex)
    this.replaceRanges(this.slots.map(() => null))
    port.mutexUnlock(this.roundMutex)
    this.detach()
  }

  /**
   * Under the round mutex: no access runs, so there is none to wait for (the sixth of the fixes of August 2019).
   * Dirty marks are set inside the lock: an invalidation that finds the slot empty may go on at once.
   */
  protected replaceRanges(ranges: readonly (SlotRange | null)[]): void {
    const { port, slots } = this
    port.spinLock(this.lock)
    this.settle(this.unpublish(() => true))
    slots.forEach((slot, index) => {
      port.store(slot.range, ranges[index] ?? null)
    })
    port.spinUnlock(this.lock)
  }

  /**
   * Under the lock: takes the mappings of the slots that `hit` names out of use.
   *
   * @returns those, and those that an invalidation running in parallel has unpublished: to {@link settle} once no
   * access can be using them
   */
  protected unpublish(hit: (slot: MappingSlot<M>) => boolean): readonly Retired<M>[] {
    const { port } = this
    let retiring = port.load(this.retiring)
    for (const slot of this.slots) {
      if (!hit(slot)) continue
      const map = port.load(slot.map)
      if (map === null) continue
      port.store(slot.map, null)
      retiring = [...retiring, { slot, map }]
      port.store(this.retiring, retiring)
    }
    return retiring
  }

  /** Under the lock, when no access uses them any more: marks dirty what was written and releases, once each. */
  protected settle(retired: readonly Retired<M>[]): void {
    if (retired.length === 0) return
    const { port } = this
    const due = (one: Retired<M>): boolean => retired.some(({ map }) => map === one.map)
    const retiring = port.load(this.retiring)
    for (const one of retiring) if (due(one)) this.retire(one)
    port.store(
      this.retiring,
      retiring.filter((one) => !due(one)),
    )
  }

  /** Dirty after the last writer has left and before the pages may change. Source: the eighth of the fixes. */
  protected retire({ slot, map }: Retired<M>): void {
    if (slot.write) map.markDirty()
    map.release()
  }
}
