import {
  type AccessCount,
  type AccessCounters,
  type AccessMode,
  type Area,
  type CopyWindow,
  type Cpu,
  load16Each,
  loadDescriptorEach,
  type PlainChains,
  type Window,
} from '@vring/accessor'
import { AVAIL_RING_OFFSET, DESC_BYTES, type RingArea, USED_ELEM_BYTES } from '@vring/layout'
import { type MappingKind, type MapRefusal, type MemoryView, memoryView, type UserSpace } from '@vring/memory'
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
  private readonly queue: DirectQueue
  private readonly cpu: Cpu
  private readonly sync: MappingSync<DirectMap>
  private readonly nospec: boolean
  private readonly map: (range: SlotRange) => DirectMap | MapRefusal
  /** The mapping that view and base were taken from; the shared variable is still loaded at every access. */
  private cached: DirectMap | undefined = undefined
  private view: MemoryView = NO_MEMORY
  private base = 0
  /** Accesses through the mapping since the last {@link flush}. */
  private hits = 0
  /** Accesses that fell back for {@link reason} since then. */
  private misses = 0
  private readonly direct: AccessCount
  /** Why there is no mapping. */
  private reason: MapRefusal = 'unmapped'

  constructor(slot: MappingSlot<DirectMap>, name: Area, area: RingArea, copy: CopyWindow, queue: DirectQueue) {
    this.area = name
    this.slot = slot
    this.copy = new Cell(`${name}.copy`, copy)
    this.length = new Cell(`${name}.length`, area.length)
    this.queue = queue
    this.direct = queue.counters.counter(name, 'direct')
    this.cpu = queue.cpu
    this.sync = queue.sync
    this.nospec = queue.nospec
    const { space, mapping } = queue
    const { write } = slot
    this.map = ({ start, end }) => {
      const mapped = space.mapKernel({ address: start, length: end - start, write, mapping })
      if (typeof mapped === 'string') return mapped
      const map = new DirectMap(mapped)
      this.keep(map)
      return map
    }
  }

  get mode(): AccessMode {
    return this.slot.map.value === null ? `fallback:${this.reason}` : 'direct'
  }

  /**
   * Maps the area if it is not mapped. A refusal is no error: accesses fall back until a later round succeeds, and the
   * copy's page fault brings in what was absent. Source: Linux at 7f466032dc9e, vq_meta_prefetch ignores the result.
   */
  prefetch(): void {
    const refusal = this.sync.install(this.slot, this.map)
    // Behind a successful mapping, only a notifier takes it away again before the next round.
    this.because(refusal ?? 'notifier-busy')
  }

  /** From now on accesses without a mapping are counted under this reason. */
  because(reason: MapRefusal): void {
    if (reason === this.reason) return
    this.flush()
    this.reason = reason
  }

  /** Hands the counts over. */
  flush(): void {
    this.direct.add(this.hits)
    this.hits = 0
    if (this.misses === 0) return
    this.queue.counters.add(this.area, `fallback:${this.reason}`, this.misses)
    this.misses = 0
  }

  load16(offset: number): number {
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset, 2)) return this.fallback().load16(offset)
    this.hits = (this.hits + 1) | 0
    const value = this.cpu.load16(this.view, this.base + this.inArea(offset, 2))
    this.sync.leave()
    return value
  }

  load16Acquire(offset: number): number {
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset, 2)) return this.fallback().load16Acquire(offset)
    this.hits = (this.hits + 1) | 0
    const value = this.cpu.load16Acquire(this.view, this.base + this.inArea(offset, 2))
    this.sync.leave()
    return value
  }

  load32(offset: number): number {
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset, 4)) return this.fallback().load32(offset)
    this.hits = (this.hits + 1) | 0
    const value = this.cpu.load32(this.view, this.base + this.inArea(offset, 4))
    this.sync.leave()
    return value
  }

  // Descriptors are 16-byte aligned, so none straddles two pages, contiguous or not.
  loadDescriptor(offset: number, out: Uint32Array, index: number): number {
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset, DESC_BYTES))
      return this.fallback().loadDescriptor(offset, out, index)
    this.hits = (this.hits + 1) | 0
    this.cpu.loadDescriptor(this.view, this.base + this.inArea(offset, DESC_BYTES), out, index)
    this.sync.leave()
    return 0
  }

  store16(offset: number, value: number): number {
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset, 2)) return this.fallback().store16(offset, value)
    this.hits = (this.hits + 1) | 0
    this.cpu.store16(this.view, this.base + this.inArea(offset, 2), value)
    this.sync.leave()
    return 0
  }

  store16Release(offset: number, value: number): number {
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset, 2)) return this.fallback().store16Release(offset, value)
    this.hits = (this.hits + 1) | 0
    this.cpu.store16Release(this.view, this.base + this.inArea(offset, 2), value)
    this.sync.leave()
    return 0
  }

  store32(offset: number, value: number): number {
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset, 4)) return this.fallback().store32(offset, value)
    this.hits = (this.hits + 1) | 0
    this.cpu.store32(this.view, this.base + this.inArea(offset, 4), value)
    this.sync.leave()
    return 0
  }

  storeUsed(offset: number, elements: Uint32Array, index: number, count: number): number {
    const map = this.sync.enter(this.slot)
    if (map === null) return this.fallback().storeUsed(offset, elements, index, count)
    this.hits = (this.hits + 1) | 0
    const width = USED_ELEM_BYTES * count
    if (map.base >= 0) this.cpu.storeUsed(map.view, map.base + this.inArea(offset, width), elements, index, count)
    else this.storeScattered(map, offset, elements, index, count)
    this.sync.leave()
    return 0
  }

  /** The mapping is entered once for all: the notifier waits for a batch as it would for an access. */
  load16Batch(offset: number, out: Uint16Array, index: number, count: number): number {
    if (this.nospec === true) return load16Each(this, offset, out, index, count)
    if (this.sync.enter(this.slot) !== this.cached) {
      this.sync.leave()
      return load16Each(this, offset, out, index, count)
    }
    this.hits = (this.hits + count) | 0
    this.cpu.load16Batch(this.view, this.base + offset, out, index, count)
    this.sync.leave()
    return count
  }

  loadDescriptorBatch(slots: Uint16Array, out: Uint32Array, index: number, count: number): number {
    if (this.nospec === true) return loadDescriptorEach(this, slots, out, index, count)
    if (this.sync.enter(this.slot) !== this.cached) {
      this.sync.leave()
      return loadDescriptorEach(this, slots, out, index, count)
    }
    this.hits = (this.hits + count) | 0
    this.cpu.loadDescriptorBatch(this.view, this.base, slots, out, index, count)
    this.sync.leave()
    return count
  }

  /**
   * `loadPlain` of an accessor whose avail ring this window is: both mappings are used in one access, as for the notifier
   * an access is of the queue, not of an area.
   */
  loadPlain(
    desc: DirectWindow,
    slot: number,
    count: number,
    queueSize: number,
    out: PlainChains,
    index: number,
  ): number {
    if (this.nospec === true) return 0
    const { sync } = this
    let plain = 0
    if (sync.enter(this.slot) === this.cached && sync.within(desc.slot) === desc.cached) {
      const entry = this.base + AVAIL_RING_OFFSET + 2 * slot
      plain = this.cpu.loadPlain(this.view, entry, desc.view, desc.base, count, queueSize, out, index)
      // The chain that it stopped at was loaded too.
      const loaded = plain < count ? plain + 1 : plain
      this.hits = (this.hits + loaded) | 0
      desc.hits = (desc.hits + loaded) | 0
    }
    sync.leave()
    return plain
  }

  /** Elements are 4-byte aligned: one may have its id on one page and its length on the next. */
  private storeScattered(map: DirectMap, offset: number, elements: Uint32Array, index: number, count: number): void {
    for (let word = 0; word < 2 * count; word++)
      this.cpu.store32(map.view, map.offsetOf(this.inArea(offset + 4 * word, 4)), elements[index + word]!)
  }

  /** Takes view and base of a mapping over, unless its pages are not side by side and have a base each. */
  private keep(map: DirectMap): void {
    this.cached = map.base >= 0 ? map : undefined
    this.view = map.view
    this.base = smallInteger(map.base)
  }

  /**
   * The shared variable holds another mapping than the one kept: none, one whose pages are looked up every time, or one
   * that somebody else put there. Not on the way of a round that goes well, so that V8 leaves it out of the round's code.
   *
   * @returns false when there is no mapping
   */
  private adopt(map: DirectMap | null, offset: number, width: number): boolean {
    if (map === null) return false
    this.keep(map)
    if (map.base < 0) {
      const inArea = this.inArea(offset, width)
      this.base = smallInteger(map.offsetOf(inArea)) - inArea
    }
    return true
  }

  /** The offset of an access, kept inside the area under speculation where that was asked for. */
  private inArea(offset: number, width: number): number {
    // Compared, not tested: V8 tests a field for truth as if it could hold anything.
    return this.nospec === true ? this.cpu.mask(offset, this.queue.port.load(this.length) - width + 1) : offset
  }

  /** Leaves first: a copy may take a page fault, which must be able to wait for the notifier. */
  private fallback(): CopyWindow {
    this.sync.leave()
    this.misses = (this.misses + 1) | 0
    return this.queue.port.load(this.copy)
  }
}

const NO_MEMORY: MemoryView = memoryView(new ArrayBuffer(0))

/**
 * The same number, as a small integer where it is one: an offset that was computed as a double would make the field it is
 * stored to a double for ever, and every access an addition and a conversion of doubles.
 */
function smallInteger(offset: number): number {
  const integer = offset | 0
  return integer === offset ? integer : offset
}
