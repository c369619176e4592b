import {
  ACCESS_READ,
  ACCESS_WRITE,
  type Access,
  auditFrames,
  frameOf,
  frameOffset,
  type KernelMapping,
  type MapRefusal,
  type MapRequest,
  type MemoryView,
  PAGE_BYTES,
  type PagedKernelMapping,
  PagedSpace,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_MIGRATION,
  PTE_PRESENT,
  PTE_WRITE,
} from '@vring/memory'
import type { MmuNotifierRegistry } from '@vring/mmu-notifier'
import { type ExploredSpace, type Touch, USER_BASE, userAddress, userOffset } from '../explored-space.ts'
import type { ExploredWorld } from '../explored-world.ts'
import type { ExploringPort } from '../exploring-port.ts'
import type { Machine } from '../machine.ts'
import { ExploredMemory, type ExploredParts } from './explored-memory.ts'
import { RUNNING } from './explored-page-table.ts'

/**
 * The shipped `PagedSpace` under exploration. Its operations, faults, lookups and kernel mappings, `MmuNotifierList`
 * and `IntervalNotifierTree` run as they are. Page-table entries, TLB and frames are variables of the world. Here is
 * what the hardware does beside them: translate and access in one step, fault where that fails.
 */
export class ExploredPagedSpace implements ExploredSpace {
  readonly paged: PagedSpace
  readonly memory: ExploredMemory
  readonly view: MemoryView
  readonly span = 0
  readonly limit: number
  readonly notifiers: MmuNotifierRegistry
  readonly #world: ExploredWorld
  readonly #port: ExploringPort
  readonly #parts: ExploredParts
  readonly #first: number
  readonly #pages: number
  readonly #mappings = new Set<PagedKernelMapping>()

  /**
   * @param first,pages what is mapped and populated to begin with: one anonymous mapping
   * @param Memory the memory under it: another class for one with a fault
   */
  constructor(world: ExploredWorld, port: ExploringPort, first: number, pages: number, Memory = ExploredMemory) {
    this.#world = world
    this.#port = port
    this.#first = first
    this.#pages = pages
    // Two more frames than pages for each of two operations at once.
    this.memory = new Memory(world, port, pages + 4)
    this.paged = new PagedSpace({ physical: this.memory })
    this.#parts = this.memory.partsOf(RUNNING)
    this.view = this.paged.view
    this.limit = this.paged.limit
    this.notifiers = this.paged.notifiers
    this.paged.mmap({ address: first * PAGE_BYTES, length: pages * PAGE_BYTES, populate: true })
  }

  resolve(address: number, length: number, access: Access): number {
    for (;;) {
      this.memory.metMigration = false
      const at = this.paged.resolve(address, length, access)
      if (at >= 0) return userOffset(address)
      if (!this.memory.metMigration) return at
      this.#waitForMigration(Math.floor(address / PAGE_BYTES))
    }
  }

  resolveSpan(address: number, length: number, access: Access): number {
    return this.resolve(address, length, access)
  }

  mapKernel(request: MapRequest): KernelMapping | MapRefusal {
    const mapping = this.paged.mapKernel(request)
    if (typeof mapping !== 'string') this.#mappings.add(mapping as PagedKernelMapping)
    return mapping
  }

  pageFault(offset: number, touch: Touch): boolean {
    return this.resolve(userAddress(offset), 1, touch === 'write' ? ACCESS_WRITE : ACCESS_READ) >= 0
  }

  faultAll(): void {
    this.paged.populate(this.#first * PAGE_BYTES, this.#pages * PAGE_BYTES)
  }

  locate(machine: Machine, offset: number, touch: Touch): number {
    const at = offset < USER_BASE ? offset : this.#translate(machine, userAddress(offset), touch)
    return at < 0 ? -1 : this.memory.words.at(machine, at)
  }

  check(machine: Machine, offset: number, touch: Touch): void {
    const user = offset >= USER_BASE
    const at = user ? this.#translate(machine, userAddress(offset), touch) : offset
    if (at < 0) return
    const frame = Math.floor(at / PAGE_BYTES)
    if (this.memory.referencesTo(machine, frame) === 0)
      machine.report('stale-mapping', `${touch} of frame ${frame}, which is free`)
    else if (!user && !this.#maps(machine, frame, touch))
      machine.report('stale-mapping', `${touch} of frame ${frame}, which no page is any more that permits it`)
  }

  written(): void {}

  checkAllReleased(): void {
    for (const mapping of this.#mappings)
      if (this.#port.load(mapping.live)) this.#world.fail('map-leak', `a mapping of frames was never released`)
    if (this.paged.notifiers.size + this.paged.notifiers.intervals.size > 0)
      this.#world.fail('reference-count', 'a listener is still registered')
    if (this.paged.notifiers.openCount > 0) this.#world.fail('stuck', 'an invalidation is still open')
    const [wrong] = auditFrames(this.memory)
    if (wrong !== undefined) this.#world.fail('bad-frames', wrong)
  }

  /** TLB, else page table, as hardware walks it: accessed and dirty bits are set, the TLB is filled. */
  #translate(machine: Machine, address: number, touch: Touch): number {
    const { table, tlb } = this.#parts
    const access = touch === 'write' ? ACCESS_WRITE : ACCESS_READ
    const inPage = address % PAGE_BYTES
    const cached = tlb.baseOf(machine, address - inPage, access)
    if (cached >= 0) return cached + inPage
    const page = Math.floor(address / PAGE_BYTES)
    const entry = table.get(machine, page)
    if ((entry & needed(touch)) !== needed(touch)) return -1
    table.add(machine, page, touch === 'write' ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED)
    tlb.put(machine, address - inPage, frameOffset(entry), access)
    return frameOffset(entry) + inPage
  }

  #maps(machine: Machine, frame: number, touch: Touch): boolean {
    return this.#parts.table
      .all(machine)
      .some((entry) => (entry & needed(touch)) === needed(touch) && frameOf(entry) === frame)
  }

  /** Source: Linux `migration_entry_wait`. */
  #waitForMigration(page: number): void {
    const { table } = this.#parts
    this.#world.atomic(
      `page ${page} has moved`,
      () => {},
      (machine) => (table.get(machine, page) & PTE_MIGRATION) === 0,
    )
  }
}

function needed(touch: Touch): number {
  return touch === 'write' ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT
}
