import { EFAULT, ENOMEM } from '@vring/layout'
import { ACCESS_WRITE, type Access } from '../address-map.ts'
import { HUGE_PAGES, PAGE_BYTES } from '../page-size.ts'
import type { Mm } from './mm.ts'
import {
  frameOf,
  frameOffset,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_FLAGS,
  PTE_HUGE,
  PTE_MIGRATION,
  PTE_NX,
  PTE_PRESENT,
  PTE_PROTNONE,
  PTE_SWAP,
  PTE_USER,
  PTE_WRITE,
} from './page-table.ts'
import type { Vma } from './vma.ts'

/** Flags of a present user page that can't be written (yet). */
export const USER_PAGE: number = PTE_PRESENT | PTE_USER | PTE_NX

/**
 * Handles a page fault, with the tables locked: afterwards the page is present, and writable for a write.
 * Source: Linux `handle_mm_fault`.
 *
 * @returns 0, or -EFAULT: no mapping, no permission, past the end of a file, or out of memory
 */
export function handleFault(mm: Mm, page: number, access: Access): number {
  const write = access === ACCESS_WRITE
  const vma = mm.vmas.find(page * PAGE_BYTES)
  if (vma === null || !(write ? vma.write : vma.read)) return EFAULT
  const entry = mm.table.entry(page)
  let status = 0
  if ((entry & PTE_MIGRATION) !== 0) {
    mm.violations.add('fault-in-notifier', page * PAGE_BYTES, 'the page is being migrated: Linux would wait for ever')
    return EFAULT
  }
  if ((entry & PTE_SWAP) !== 0) status = swapIn(mm, vma, page, entry)
  else if ((entry & PTE_PROTNONE) !== 0) restoreHinted(mm, page, entry)
  else if (entry === 0) status = populate(mm, vma, page, write)
  if (status < 0) return EFAULT
  if (write && (mm.table.entry(page) & PTE_WRITE) === 0) status = breakWriteProtection(mm, vma, page)
  return status < 0 ? EFAULT : 0
}

/** First touch. Source: `do_anonymous_page`, `do_read_fault`, `do_cow_fault`, `do_shared_fault`, `hugetlb_no_page`. */
function populate(mm: Mm, vma: Vma, page: number, write: boolean): number {
  const { physical } = mm
  const { cache } = vma
  if (cache === null) {
    const frame = physical.allocate()
    if (frame < 0) return frame
    // No other process has the page: no write fault needed later. The shared zero page is not modelled.
    mm.map(page, frame, USER_PAGE | (vma.write ? PTE_WRITE : 0))
    return 0
  }
  const index = vma.cacheIndex + (page - vma.start / PAGE_BYTES)
  const frame = cache.frame(index)
  if (frame < 0) return frame
  if (cache.kind === 'hugetlb') {
    const head = page - (page % HUGE_PAGES)
    const first = frame - (page - head)
    for (let i = 0; i < HUGE_PAGES; i++) physical.hold(first + i)
    mm.mapHuge(head, first, USER_PAGE | (vma.write ? PTE_WRITE : 0))
    return 0
  }
  if (vma.private && write) {
    const copy = physical.allocate()
    if (copy < 0) return copy
    physical.copyFrame(copy, frame)
    mm.map(page, copy, USER_PAGE | PTE_WRITE)
    return 0
  }
  physical.hold(frame)
  // A shared page of a file is mapped read-only, so that the first write to it is noticed; shared memory need not care.
  mm.map(page, frame, USER_PAGE | (cache.kind === 'shmem' && !vma.private && vma.write ? PTE_WRITE : 0))
  return 0
}

/** Source: `do_swap_page`. */
function swapIn(mm: Mm, vma: Vma, page: number, entry: number): number {
  const { physical } = mm
  const { swap } = physical
  const slot = frameOf(entry)
  let frame = swap.frameOf(slot)
  if (frame < 0) {
    frame = physical.allocate()
    if (frame < 0) return frame
    physical.bytes(frame).set(swap.read(slot))
    swap.cache(slot, frame)
  }
  // The mapping's reference; the first one belongs to the swap cache.
  physical.hold(frame)
  mm.map(page, frame, USER_PAGE)
  swap.put(slot)
  if (vma.write && isExclusive(mm, frame)) mm.table.addFlags(page, PTE_WRITE)
  return 0
}

/** A NUMA hint has served: the access was seen. Source: `do_numa_page`. */
function restoreHinted(mm: Mm, page: number, entry: number): void {
  if ((entry & PTE_HUGE) !== 0) {
    const head = page - (page % HUGE_PAGES)
    mm.setHugeEntry(head, (mm.table.entry(head) & ~PTE_PROTNONE) | PTE_PRESENT)
  } else mm.setEntry(page, (entry & ~PTE_PROTNONE) | PTE_PRESENT)
}

/** A write to a page that is mapped read-only. Source: `do_wp_page`, `do_huge_pmd_wp_page`. */
function breakWriteProtection(mm: Mm, vma: Vma, page: number): number {
  const { physical } = mm
  let entry = mm.table.entry(page)
  if ((entry & PTE_HUGE) !== 0) {
    const first = frameOf(entry) - (page % HUGE_PAGES)
    if (!vma.private || allExclusive(mm, first)) {
      const head = page - (page % HUGE_PAGES)
      mm.setHugeEntry(head, mm.table.entry(head) | PTE_WRITE)
      return 0
    }
    mm.splitHuge(page)
    entry = mm.table.entry(page)
  }
  const frame = frameOf(entry)
  if (!vma.private || isExclusive(mm, frame)) {
    // page_mkwrite: the page will be newer than the disk. Reuse changes no translation: no notifier is called.
    if (!vma.private) physical.setDirty(frame)
    mm.setEntry(page, entry | PTE_WRITE)
    return 0
  }
  return copyPage(mm, page, true)
}

/**
 * Gives a page a frame of its own: copy-on-write, and the end of a merged page. Listeners hold the old page until they
 * are told. Source: `wp_page_copy`.
 *
 * @param writable what the new entry permits
 * @returns 0 or -ENOMEM
 */
export function copyPage(mm: Mm, page: number, writable: boolean): number {
  const { physical } = mm
  const entry = mm.table.entry(page)
  const old = frameOf(entry)
  const copy = physical.allocate()
  if (copy < 0) return ENOMEM
  physical.copyFrame(copy, old)
  let raced = false
  mm.invalidatePages(page, 1, 'clear', () => {
    // A listener may have faulted the page meanwhile; then its copy stays and this one goes.
    raced = frameOf(mm.table.entry(page)) !== old
    if (raced) return
    mm.unmap(page, entry)
    mm.map(page, copy, (entry & PTE_FLAGS & ~PTE_DIRTY) | (writable ? PTE_WRITE : 0))
  })
  mm.putMapping(raced ? copy : old)
  return 0
}

/** Is this mapping the only user of an anonymous frame? The swap cache doesn't count, unless another entry names it. */
function isExclusive(mm: Mm, frame: number): boolean {
  const { physical } = mm
  if (physical.cacheOf(frame) !== null || physical.isMerged(frame)) return false
  const slot = physical.swap.slotOf(frame)
  const cached = slot >= 0 ? 1 : 0
  if (cached === 1 && physical.swap.entries(slot) > 0) return false
  return physical.references(frame) === 1 + cached
}

function allExclusive(mm: Mm, first: number): boolean {
  for (let i = 0; i < HUGE_PAGES; i++) if (!isExclusive(mm, first + i)) return false
  return true
}

/**
 * Byte offset of a page's frame for an access by the CPU. It walks, faults where it must, sets accessed and dirty bits,
 * and fills the TLB.
 *
 * @returns an offset, or -EFAULT
 */
export function walkPage(mm: Mm, page: number, access: Access): number {
  const needed = access === ACCESS_WRITE ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT
  let entry = mm.table.entry(page)
  if ((entry & needed) !== needed) {
    mm.lockTables()
    const status = handleFault(mm, page, access)
    mm.unlockTables()
    if (status < 0) return EFAULT
    entry = mm.table.entry(page)
    // Not there in spite of that: a listener of the copy took it away again.
    if ((entry & needed) !== needed) return EFAULT
  }
  const used = access === ACCESS_WRITE ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED
  if ((entry & used) !== used) mm.table.addFlags(page, used)
  const base = frameOffset(entry)
  mm.tlb.fill(page * PAGE_BYTES, base, access)
  return base
}
