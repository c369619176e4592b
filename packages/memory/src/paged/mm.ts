import { refused, VringError } from '@vring/layout'
import {
  Cell,
  Lock,
  type MmuNotifierEvent,
  type MmuNotifierList,
  type MmuNotifierListOptions,
} from '@vring/mmu-notifier'
import { HUGE_PAGES, PAGE_BYTES, TASK_SIZE_MAX } from '../page-size.ts'
import { Invalidation } from './invalidation.ts'
import {
  frameOf,
  frameOffset,
  type PageTable,
  PTE_DIRTY,
  PTE_FRAME_SHIFT,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_PROTNONE,
  PTE_SWAP,
} from './page-table.ts'
import type { PagedKernelMapping } from './paged-kernel-mapping.ts'
import type { PhysicalMemory } from './physical-memory.ts'
import type { Tlb } from './tlb.ts'
import type { ViolationLog } from './violation.ts'
import type { VmaSet } from './vma.ts'

/** A page's key in the reverse map: the space's id above the 35 bits of a page number. */
const PAGE_KEY = 2 ** 35

/**
 * One address space as its operations see it: mappings, page table, TLB, notifiers. The kernel's `mm_struct`.
 * Page numbers are addresses divided by 4096. A "mapped" page has a frame, whether the hardware may use it (present) or
 * only the kernel knows (PROT_NONE).
 */
export class Mm {
  readonly physical: PhysicalMemory
  readonly limit: number = TASK_SIZE_MAX
  readonly table: PageTable
  readonly tlb: Tlb
  readonly vmas: VmaSet
  readonly notifiers: MmuNotifierList
  readonly violations: ViolationLog
  /** Kernel mappings that were not given back. */
  readonly kernelMappings: Set<PagedKernelMapping> = new Set()
  readonly #id: number
  /** Frames whose last mapping went in this operation: freed after its last invalidation, as `tlb_finish_mmu` does. */
  #gathered: number[] = []
  #operating = false
  readonly #closed = new Cell('closed', false)
  /** Held by an operation, callbacks of listeners and all. Linux: mmap_lock. */
  readonly #lock = new Lock('mmap_lock')

  constructor(physical: PhysicalMemory, notifiers: MmuNotifierListOptions = {}) {
    this.physical = physical
    this.#id = physical.attach(this)
    const { table, tlb, vmas, violations, notifiers: list } = physical.createParts(this.#id, notifiers)
    this.table = table
    this.tlb = tlb
    this.vmas = vmas
    this.violations = violations
    this.notifiers = list
  }

  /** The space and page of a reverse-map key. */
  static ofKey(physical: PhysicalMemory, key: number): { mm: Mm; page: number } {
    return { mm: physical.space(Math.floor(key / PAGE_KEY)), page: key % PAGE_KEY }
  }

  key(page: number): number {
    return this.#id * PAGE_KEY + page
  }

  /**
   * Runs one operation that changes mappings, then frees what it let go of and reports a listener that failed.
   *
   * @throws VringError ERR_INVALID_STATE inside another operation (Linux: a deadlock on mmap_lock) or after close;
   * ERR_NOTIFIER, with the operation done, when a listener failed
   */
  operate<T>(operation: () => T): T {
    const { port } = this.physical
    if (port.load(this.#closed)) throw new VringError('ERR_CLOSED', 'the address space is closed')
    if (this.#operating)
      throw new VringError('ERR_INVALID_STATE', 'an operation is on its way: a listener must not start another')
    this.#operating = true
    let result: T
    try {
      port.mutexLock(this.#lock)
      this.lockTables()
      result = operation()
    } finally {
      this.#operating = false
      this.freeGathered()
      this.unlockTables()
      port.mutexUnlock(this.#lock)
    }
    const fault = this.notifiers.takeFault()
    if (fault !== null) throw fault
    return result
  }

  /** Begins a change of page tables or frames, outside of {@link operate}: a page fault. */
  lockTables(): void {
    this.physical.port.spinLock(this.physical.pageTableLock)
  }

  unlockTables(): void {
    this.physical.port.spinUnlock(this.physical.pageTableLock)
  }

  /**
   * An invalidation around a change of [start, end). Called with the tables locked; listeners are called without.
   *
   * @returns false when a listener refused a non-blockable one: nothing was changed
   */
  invalidate(start: number, end: number, event: MmuNotifierEvent, change: () => void, blockable = true): boolean {
    const { port } = this.physical
    const range = port.object(`${event} ${start}-${end}`, () => new Invalidation(start, end, event, blockable))
    this.unlockTables()
    const status = this.notifiers.invalidateRangeStart(range)
    this.lockTables()
    if (status !== 0) return false
    try {
      change()
    } finally {
      this.unlockTables()
      this.notifiers.invalidateRangeEnd(range)
      this.lockTables()
    }
    return true
  }

  /** {@link invalidate} for `pages` pages from `page`. */
  invalidatePages(page: number, pages: number, event: MmuNotifierEvent, change: () => void): void {
    this.invalidate(page * PAGE_BYTES, (page + pages) * PAGE_BYTES, event, change)
  }

  /** Sets the entry of one page and flushes it from the TLB. */
  setEntry(page: number, entry: number): void {
    this.table.set(page, entry)
    this.tlb.flush(page * PAGE_BYTES)
  }

  /** Sets a huge entry and flushes its pages. */
  setHugeEntry(page: number, entry: number): void {
    this.table.setHuge(page, entry)
    for (let i = 0; i < HUGE_PAGES; i++) this.tlb.flush((page + i) * PAGE_BYTES)
  }

  /** Maps a frame at a page that has no entry; the mapping takes over one reference of the caller. */
  map(page: number, frame: number, flags: number): void {
    this.physical.addMapping(frame, this.key(page))
    this.setEntry(page, (frame << PTE_FRAME_SHIFT) | flags)
  }

  /** Maps 512 frames from `first` as one huge page; takes over one reference of each. */
  mapHuge(page: number, first: number, flags: number): void {
    for (let i = 0; i < HUGE_PAGES; i++) this.physical.addMapping(first + i, this.key(page + i))
    this.setHugeEntry(page, (first << PTE_FRAME_SHIFT) | flags | PTE_HUGE)
  }

  /**
   * Takes the mapping of one page away: the reverse map and the table, a dirty bit goes to the frame. The reference of
   * the mapping is the caller's then. Returns the frame.
   */
  unmap(page: number, entry: number): number {
    const frame = frameOf(entry)
    this.physical.removeMapping(frame, this.key(page))
    if ((entry & PTE_DIRTY) !== 0) this.physical.setDirty(frame)
    this.setEntry(page, 0)
    return frame
  }

  /** Clears whatever is at `page` (a huge entry as a whole) and lets go of it. Returns how many pages it was. */
  zap(page: number): number {
    const entry = this.table.entry(page)
    if ((entry & PTE_HUGE) !== 0) {
      const head = page - (page % HUGE_PAGES)
      const first = frameOf(this.table.entry(head))
      for (let i = 0; i < HUGE_PAGES; i++) {
        this.physical.removeMapping(first + i, this.key(head + i))
        if ((entry & PTE_DIRTY) !== 0) this.physical.setDirty(first + i)
        this.#gathered.push(first + i)
      }
      this.setHugeEntry(head, 0)
      return HUGE_PAGES
    }
    if ((entry & PTE_SWAP) !== 0) {
      this.setEntry(page, 0)
      this.physical.swap.put(frameOf(entry))
    } else if (isMapped(entry)) this.#gathered.push(this.unmap(page, entry))
    return 1
  }

  /** Clears everything in [from, end), which begins and ends outside of huge entries. */
  zapRange(from: number, end: number): void {
    for (let page = this.table.next(from, end); page >= 0; ) page = this.table.next(page + this.zap(page), end)
  }

  /** Gives a mapping's reference back after the invalidation. */
  gather(frame: number): void {
    this.#gathered.push(frame)
  }

  /** Frees what {@link gather} and {@link zap} collected. */
  freeGathered(): void {
    for (const frame of this.#gathered.splice(0)) this.putMapping(frame)
  }

  /** A mapping of `frame` is gone, here is its reference; a page in the swap cache without a mapping leaves memory. */
  putMapping(frame: number): void {
    const { physical } = this
    const slot = physical.swap.slotOf(frame)
    if (slot >= 0 && physical.mapCount(frame) === 0) {
      if (physical.isDirty(frame)) physical.swap.write(slot, physical.bytes(frame))
      physical.swap.uncache(slot)
      physical.put(frame)
    }
    physical.put(frame)
  }

  /**
   * Splits the huge page that holds `page` into entries of 4 KiB with the same frames. Nothing to do where there is none.
   * Source: Linux `__split_huge_pmd`.
   */
  splitHuge(page: number): void {
    if ((this.table.entry(page) & PTE_HUGE) === 0) return
    const head = page - (page % HUGE_PAGES)
    this.invalidatePages(head, HUGE_PAGES, 'clear', () => {
      const entry = this.table.entry(head)
      if ((entry & PTE_HUGE) === 0) return
      const flags = entry & 0xfff & ~PTE_HUGE
      this.setHugeEntry(head, 0)
      for (let i = 0; i < HUGE_PAGES; i++) this.setEntry(head + i, frameOffset(entry) + (i << PTE_FRAME_SHIFT) + flags)
    })
  }

  /** Splits huge pages that reach across either end of the pages [from, end). */
  splitEdges(from: number, end: number): void {
    if (from % HUGE_PAGES !== 0) this.splitHuge(from)
    if (end % HUGE_PAGES !== 0) this.splitHuge(end)
  }

  /**
   * Checks a range of an operation: page-aligned, not empty, not wrapping, below the limit. Cutting through huge pages of
   * hugetlb is refused.
   *
   * @throws VringError
   */
  checkRange(address: number, length: number): void {
    this.checkBytes(address, length)
    if (address % PAGE_BYTES !== 0) throw refused('ERR_MISALIGNED', 'address', address, `a multiple of ${PAGE_BYTES}`)
    if (length % PAGE_BYTES !== 0) throw refused('ERR_MISALIGNED', 'length', length, `a multiple of ${PAGE_BYTES}`)
    for (const edge of [address, address + length]) {
      const vma = this.vmas.find(edge)
      if (vma?.kind === 'hugetlb' && edge % (HUGE_PAGES * PAGE_BYTES) !== 0)
        throw refused('ERR_MISALIGNED', 'address', edge, 'a multiple of 2 MiB inside a hugetlb mapping')
    }
  }

  /**
   * Checks a range of bytes, aligned or not: not empty, not wrapping, below the limit.
   *
   * @throws VringError ERR_OUT_OF_RANGE
   */
  checkBytes(address: number, length: number): void {
    if (!(Number.isSafeInteger(address) && address >= 0 && address < this.limit))
      throw refused('ERR_OUT_OF_RANGE', 'address', address, `0 .. 0x${(this.limit - 1).toString(16)}`)
    if (!(Number.isSafeInteger(length) && length > 0 && length <= this.limit - address))
      throw refused('ERR_OUT_OF_RANGE', 'length', length, `1 .. ${this.limit - address}`)
  }

  /**
   * As {@link checkRange}, and every page of the range is in a mapping.
   *
   * @throws VringError
   */
  checkMapped(address: number, length: number): void {
    this.checkRange(address, length)
    if (!this.vmas.covers(address, address + length))
      throw refused('ERR_OUT_OF_RANGE', 'address', address, 'a range that is mapped as a whole')
  }

  /** The process exits: listeners are released, then everything goes without further notice. Source: `exit_mmap`. */
  close(): void {
    const { port } = this.physical
    if (port.load(this.#closed)) return
    this.notifiers.release()
    this.lockTables()
    for (const vma of [...this.vmas.all]) {
      this.zapRange(vma.start / PAGE_BYTES, vma.end / PAGE_BYTES)
      this.freeGathered()
      this.vmas.remove(vma)
    }
    port.store(this.#closed, true)
    this.physical.detach(this.#id)
    this.unlockTables()
  }
}

/** Does the entry hold a frame that is mapped, for the hardware or (PROT_NONE) for the kernel only? */
export function isMapped(entry: number): boolean {
  return (entry & (PTE_PRESENT | PTE_PROTNONE)) !== 0
}
