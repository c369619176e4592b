import { refused } from '@vring/layout'
import { PAGE_BYTES } from '../../page-size.ts'
import { copyPage } from '../fault.ts'
import { isMapped, type Mm } from '../mm.ts'
import { frameOf, PTE_DIRTY, PTE_FLAGS, PTE_HUGE, PTE_WRITE } from '../page-table.ts'

/**
 * Merges two anonymous pages of equal contents into one that may not be written. Both are write-protected, each inside an
 * invalidation, and compared only then; the second page's entry gets the first one's frame inside another invalidation.
 * Source: Linux `mm/ksm.c`, `write_protect_page`, `replace_page` (MMU_NOTIFY_CLEAR).
 *
 * @returns false when the pages differ, are one already, or are not both there and anonymous
 */
export function mergePages(keeper: Mm, keptPage: number, other: Mm, otherPage: number): boolean {
  keeper.checkMapped(keptPage * PAGE_BYTES, PAGE_BYTES)
  other.checkMapped(otherPage * PAGE_BYTES, PAGE_BYTES)
  const { physical } = keeper
  if (other.physical !== physical)
    throw refused('ERR_INVALID_ARGUMENT', 'other', 'a space of another memory', 'one of the same PhysicalMemory')
  if (!writeProtect(keeper, keptPage) || !writeProtect(other, otherPage)) return false
  const kept = frameOf(keeper.table.entry(keptPage))
  const dropped = frameOf(other.table.entry(otherPage))
  if (kept === dropped || !physical.sameContents(kept, dropped)) return false
  physical.setMerged(kept)
  let replaced = false
  other.invalidatePages(otherPage, 1, 'clear', () => {
    const entry = other.table.entry(otherPage)
    // Written to by a listener, and so copied: no longer the page that was compared.
    if (frameOf(entry) !== dropped || (entry & PTE_WRITE) !== 0 || !isMapped(entry)) return
    other.unmap(otherPage, entry)
    physical.hold(kept)
    other.map(otherPage, kept, entry & PTE_FLAGS & ~PTE_DIRTY)
    replaced = true
  })
  if (replaced) other.putMapping(dropped)
  return replaced
}

/** Gives every merged page of a range a copy of its own again. Source: Linux `unmerge_ksm_pages`, `break_ksm`. */
export function unmerge(mm: Mm, address: number, length: number): number {
  mm.checkMapped(address, length)
  const end = (address + length) / PAGE_BYTES
  let broken = 0
  for (let page = mm.table.next(address / PAGE_BYTES, end); page >= 0; page = mm.table.next(page + 1, end)) {
    const entry = mm.table.entry(page)
    if (!isMapped(entry) || !mm.physical.isMerged(frameOf(entry))) continue
    const write = mm.vmas.find(page * PAGE_BYTES)?.write === true
    if (copyPage(mm, page, write) < 0) break
    broken++
  }
  return broken
}

/** @returns false when there is no anonymous page */
function writeProtect(mm: Mm, page: number): boolean {
  if ((mm.table.entry(page) & PTE_HUGE) !== 0 && mm.vmas.find(page * PAGE_BYTES)?.kind === 'anonymous')
    mm.splitHuge(page)
  const entry = mm.table.entry(page)
  if (!isMapped(entry) || mm.physical.cacheOf(frameOf(entry)) !== null) return false
  if ((entry & (PTE_WRITE | PTE_DIRTY)) === 0) return true
  mm.invalidatePages(page, 1, 'clear', () => {
    const now = mm.table.entry(page)
    if (!isMapped(now)) return
    if ((now & PTE_DIRTY) !== 0) mm.physical.setDirty(frameOf(now))
    mm.setEntry(page, now & ~(PTE_WRITE | PTE_DIRTY))
  })
  const now = mm.table.entry(page)
  return isMapped(now) && (now & PTE_WRITE) === 0
}
