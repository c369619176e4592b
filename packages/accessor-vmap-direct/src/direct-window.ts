import type { AccessCounters, AccessMode, Area, CopyWindow, Cpu, Window } from '@vring/accessor'
import { DESC_BYTES, type RingArea, USED_ELEM_BYTES } from '@vring/layout'
import type { MappingKind, MapRefusal, UserSpace } from '@vring/memory'
import { Cell, type MappingSlot, type MappingSync, type SlotRange, type SyncPort } from '@vring/mmu-notifier'
import { DirectMap } from './direct-map.ts'

/** What the windows of one queue share. */
export interface DirectQueue {
  readonly cpu: Cpu
  readonly space: UserSpace
  readonly port: SyncPort
  readonly sync: MappingSync<DirectMap>
  readonly counters: AccessCounters
  readonly mapping: MappingKind
  /** Make each offset depend on the check that it is inside the area (`array_index_nospec`). */
  readonly nospec: boolean
}

/**
 * An area reached through a mapping of its own: the address is there, so an access is a load or a store and nothing else.
 * Without a mapping, each access falls back to a copy; one batch may mix both.
 *
 * As in the kernel no bound is checked: the ring checks its indices. With `nospec` an offset outside the area becomes 0.
 * Source: Linux at 7f466032dc9e `drivers/vhost/vhost.c`, vhost_get_avail_idx and its siblings.
 */
export class DirectWindow implements Window {
  readonly area: Area
  readonly slot: MappingSlot<DirectMap>
  /** Where accesses go without a mapping; replaced when the ring moves. */
  readonly copy: Cell<CopyWindow>
  /** Bytes of the area. */
  readonly length: Cell<number>
  readonly #queue: DirectQueue
  readonly #cpu: Cpu
  readonly #sync: MappingSync<DirectMap>
  readonly #nospec: boolean
  readonly #map: (range: SlotRange) => DirectMap | MapRefusal
  /** Accesses through the mapping since the last {@link flush}. */
  #hits = 0
  /** Accesses that fell back for {@link #reason} since then. */
  #misses = 0
  /** Why there is no mapping. */
  #reason: MapRefusal = 'unmapped'

  constructor(slot: MappingSlot<DirectMap>, name: Area, area: RingArea, copy: CopyWindow, queue: DirectQueue) {
    this.area = name
    this.slot = slot
    this.copy = new Cell(`${name}.copy`, copy)
    this.length = new Cell(`${name}.length`, area.length)
    this.#queue = queue
    this.#cpu = queue.cpu
    this.#sync = queue.sync
    this.#nospec = queue.nospec
    const { space, mapping } = queue
    const { write } = slot
    this.#map = ({ start, end }) => {
      const mapped = space.mapKernel({ address: start, length: end - start, write, mapping })
      return typeof mapped === 'string' ? mapped : new DirectMap(mapped)
    }
  }

  get mode(): AccessMode {
    return this.slot.map.value === null ? `fallback:${this.#reason}` : 'direct'
  }

  /**
   * Maps the area if it is not mapped. A refusal is no error: accesses fall back until a later round succeeds, and the
   * copy's page fault brings in what was absent. Source: Linux at 7f466032dc9e, vq_meta_prefetch ignores the result.
   */
  prefetch(): void {
    const refusal = this.#sync.install(this.slot, this.#map)
    // Behind a successful mapping, only a notifier takes it away again before the next round.
    this.because(refusal ?? 'notifier-busy')
  }

  /** From now on accesses without a mapping are counted under this reason. */
  because(reason: MapRefusal): void {
    if (reason === this.#reason) return
    this.flush()
    this.#reason = reason
  }

  /** Hands the counts over. */
  flush(): void {
    const { counters } = this.#queue
    counters.add(this.area, 'direct', this.#hits)
    counters.add(this.area, `fallback:${this.#reason}`, this.#misses)
    this.#hits = 0
    this.#misses = 0
  }

  load16(offset: number): number {
    const map = this.#sync.enter(this.slot)
    if (map === null) return this.#fallback().load16(offset)
    this.#hits = (this.#hits + 1) | 0
    const value = this.#cpu.load16(map.view, this.#at(map, offset, 2))
    this.#sync.leave()
    return value
  }

  load16Acquire(offset: number): number {
    const map = this.#sync.enter(this.slot)
    if (map === null) return this.#fallback().load16Acquire(offset)
    this.#hits = (this.#hits + 1) | 0
    const value = this.#cpu.load16Acquire(map.view, this.#at(map, offset, 2))
    this.#sync.leave()
    return value
  }

  load32(offset: number): number {
    const map = this.#sync.enter(this.slot)
    if (map === null) return this.#fallback().load32(offset)
    this.#hits = (this.#hits + 1) | 0
    const value = this.#cpu.load32(map.view, this.#at(map, offset, 4))
    this.#sync.leave()
    return value
  }

  loadDescriptor(offset: number, out: Uint32Array, index: number): number {
    const map = this.#sync.enter(this.slot)
    if (map === null) return this.#fallback().loadDescriptor(offset, out, index)
    this.#hits = (this.#hits + 1) | 0
    const at = this.#at(map, offset, DESC_BYTES)
    // Descriptors are 16-byte aligned, so none straddles two pages, contiguous or not.
    this.#cpu.loadDescriptor(map.view, at, out, index)
    this.#sync.leave()
    return 0
  }

  store16(offset: number, value: number): number {
    const map = this.#sync.enter(this.slot)
    if (map === null) return this.#fallback().store16(offset, value)
    this.#hits = (this.#hits + 1) | 0
    this.#cpu.store16(map.view, this.#at(map, offset, 2), value)
    this.#sync.leave()
    return 0
  }

  store16Release(offset: number, value: number): number {
    const map = this.#sync.enter(this.slot)
    if (map === null) return this.#fallback().store16Release(offset, value)
    this.#hits = (this.#hits + 1) | 0
    this.#cpu.store16Release(map.view, this.#at(map, offset, 2), value)
    this.#sync.leave()
    return 0
  }

  store32(offset: number, value: number): number {
    const map = this.#sync.enter(this.slot)
    if (map === null) return this.#fallback().store32(offset, value)
    this.#hits = (this.#hits + 1) | 0
    this.#cpu.store32(map.view, this.#at(map, offset, 4), value)
    this.#sync.leave()
    return 0
  }

  storeUsed(offset: number, elements: Uint32Array, index: number, count: number): number {
    const map = this.#sync.enter(this.slot)
    if (map === null) return this.#fallback().storeUsed(offset, elements, index, count)
    this.#hits = (this.#hits + 1) | 0
    if (map.base >= 0)
      this.#cpu.storeUsed(map.view, this.#at(map, offset, USED_ELEM_BYTES * count), elements, index, count)
    else this.#storeScattered(map, offset, elements, index, count)
    this.#sync.leave()
    return 0
  }

  /** Elements are 4-byte aligned: one may have its id on one page and its length on the next. */
  #storeScattered(map: DirectMap, offset: number, elements: Uint32Array, index: number, count: number): void {
    for (let word = 0; word < 2 * count; word++)
      this.#cpu.store32(map.view, this.#at(map, offset + 4 * word, 4), elements[index + word]!)
  }

  /** Byte offset in the mapping's view of an access at `offset` in the area. */
  #at(map: DirectMap, offset: number, width: number): number {
    const inArea = this.#nospec ? this.#cpu.mask(offset, this.#queue.port.load(this.length) - width + 1) : offset
    const base = map.base
    return base >= 0 ? base + inArea : map.offsetOf(inArea)
  }

  /** Leaves first: a copy may take a page fault, which must be able to wait for the notifier. */
  #fallback(): CopyWindow {
    this.#sync.leave()
    this.#misses = (this.#misses + 1) | 0
    return this.#queue.port.load(this.copy)
  }
}
