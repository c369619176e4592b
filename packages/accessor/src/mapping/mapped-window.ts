import { type Area, EFAULT, mayRead, mayWrite, type RingArea } from '@vring/layout'
import { type MappingKind, type MapRefusal, type MemoryView, memoryView, type UserSpace } from '@vring/memory'
import { Cell, type MappingSlot, type MappingSync, type SlotRange, type SyncPort } from '@vring/mmu-notifier'
import type { AccessCount, AccessCounters, AccessMode } from '../contract/access-counters.ts'
import type { Window } from '../contract/window.ts'
import type { Cpu } from '../ports/cpu.ts'
import { DirectMap } from './direct-map.ts'

/** What the windows of one queue share. */
export interface MappedQueue {
  readonly cpu: Cpu
  readonly space: UserSpace
  readonly port: SyncPort
  readonly sync: MappingSync<DirectMap>
  readonly counters: AccessCounters
  readonly mapping: MappingKind
}

/**
 * An area reached through a mapping of its own: the address is there, so an access is a load or a store and nothing else.
 * Without a mapping, each access falls back to another window; one batch may mix both.
 *
 * As in the kernel no bound is checked: the ring checks its indices.
 * Source: Linux at 7f466032dc9e `drivers/vhost/vhost.c`, vhost_get_avail_idx and its siblings.
 */
export class MappedWindow implements Window {
  readonly area: Area
  readonly slot: MappingSlot<DirectMap>
  /** Where accesses go without a mapping; replaced when the ring moves. */
  readonly fallback: Cell<Window>
  private readonly queue: MappedQueue
  private readonly cpu: Cpu
  private readonly sync: MappingSync<DirectMap>
  private readonly readable: boolean
  private readonly writable: boolean
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

  constructor(slot: MappingSlot<DirectMap>, name: Area, area: RingArea, fallback: Window, queue: MappedQueue) {
    this.area = name
    this.slot = slot
    this.fallback = new Cell(`${name}.fallback`, fallback)
    this.queue = queue
    this.direct = queue.counters.counter(name, 'direct')
    this.cpu = queue.cpu
    this.sync = queue.sync
    this.readable = mayRead(area)
    this.writable = mayWrite(area)
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

  /** How an access would run now, for people. */
  get mode(): AccessMode {
    return this.slot.map.value === null ? `fallback:${this.reason}` : 'direct'
  }

  /**
   * Maps the area if it is not mapped. A refusal is no error: accesses fall back until a later round succeeds, and the
   * copy's page fault brings in what was absent.
   * Source: Linux at 7f466032dc9e, vq_meta_prefetch ignores the result.
   */
  prefetch(): void {
    const refusal = this.sync.install(this.slot, this.map)
    // After a successful mapping, only a notifier takes it away again before the next round.
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
    if (this.readable === false) return EFAULT
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset)) return this.copy().load16(offset)
    this.hits = (this.hits + 1) | 0
    const value = this.cpu.load16(this.view.u16, (this.base + offset) >>> 1)
    this.sync.leave()
    return value
  }

  load16Acquire(offset: number): number {
    if (this.readable === false) return EFAULT
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset)) return this.copy().load16Acquire(offset)
    this.hits = (this.hits + 1) | 0
    const value = this.cpu.load16Acquire(this.view.u16, (this.base + offset) >>> 1)
    this.sync.leave()
    return value
  }

  load32(offset: number): number {
    if (this.readable === false) return EFAULT
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset)) return this.copy().load32(offset)
    this.hits = (this.hits + 1) | 0
    const value = this.cpu.load32(this.view.u32, (this.base + offset) >>> 2)
    this.sync.leave()
    return value
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    if (this.readable === false) return EFAULT
    const map = this.sync.enter(this.slot)
    if (map === null) return this.copy().loadWords(offset, out, index, count)
    this.hits = (this.hits + 1) | 0
    const { view, base } = map
    if (base >= 0) this.cpu.loadWords(view.u32, (base + offset) >>> 2, out, index, count)
    else
      for (let word = 0; word < count; word++)
        out[index + word] = this.cpu.load32(view.u32, map.offsetOf(offset + 4 * word) >>> 2)
    this.sync.leave()
    return 0
  }

  store16(offset: number, value: number): number {
    if (this.writable === false) return EFAULT
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset)) return this.copy().store16(offset, value)
    this.hits = (this.hits + 1) | 0
    this.cpu.store16(this.view.u16, (this.base + offset) >>> 1, value)
    this.sync.leave()
    return 0
  }

  store16Release(offset: number, value: number): number {
    if (this.writable === false) return EFAULT
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset)) return this.copy().store16Release(offset, value)
    this.hits = (this.hits + 1) | 0
    this.cpu.store16Release(this.view.u16, (this.base + offset) >>> 1, value)
    this.sync.leave()
    return 0
  }

  store32(offset: number, value: number): number {
    if (this.writable === false) return EFAULT
    const map = this.sync.enter(this.slot)
    if (map !== this.cached && !this.adopt(map, offset)) return this.copy().store32(offset, value)
    this.hits = (this.hits + 1) | 0
    this.cpu.store32(this.view.u32, (this.base + offset) >>> 2, value)
    this.sync.leave()
    return 0
  }

  storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    if (this.writable === false) return EFAULT
    const map = this.sync.enter(this.slot)
    if (map === null) return this.copy().storeWords(offset, words, index, count)
    this.hits = (this.hits + 1) | 0
    const { view, base } = map
    if (base >= 0) this.cpu.storeWords(view.u32, (base + offset) >>> 2, words, index, count)
    else
      for (let word = 0; word < count; word++)
        this.cpu.store32(view.u32, map.offsetOf(offset + 4 * word) >>> 2, words[index + word]!)
    this.sync.leave()
    return 0
  }

  /** Takes view and base of a mapping over, unless its pages are not side by side and have a base each. */
  private keep(map: DirectMap): void {
    this.cached = map.base >= 0 ? map : undefined
    this.view = map.view
    this.base = smallInteger(map.base)
  }

  /**
   * The shared variable holds another mapping than the one kept. That is none, one whose pages are looked up every
   * time, or one that another round put there. Not on the way of a round that goes well, so that V8 leaves it out of
   * the round's code.
   *
   * @returns false when there is no mapping
   */
  private adopt(map: DirectMap | null, offset: number): boolean {
    if (map === null) return false
    this.keep(map)
    if (map.base < 0) this.base = smallInteger(map.offsetOf(offset)) - offset
    return true
  }

  /** Leaves first: a copy may take a page fault, which must be able to wait for the notifier. */
  private copy(): Window {
    this.sync.leave()
    this.misses = (this.misses + 1) | 0
    return this.queue.port.load(this.fallback)
  }
}

const NO_MEMORY: MemoryView = memoryView(new ArrayBuffer(0))

/**
 * The same number, as a small integer where it is one. An offset that was computed as a double would make the field it
 * is stored to a double for ever. Every access would be an addition and a conversion of doubles.
 */
function smallInteger(offset: number): number {
  const integer = offset | 0
  return integer === offset ? integer : offset
}
