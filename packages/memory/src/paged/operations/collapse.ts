import { refused } from '@vring/layout'
import { ACCESS_READ } from '../../address-map.ts'
import { HUGE_BYTES, HUGE_PAGES, PAGE_BYTES } from '../../page-size.ts'
import { handleFault, USER_PAGE } from '../fault.ts'
import { isMapped, type Mm } from '../mm.ts'
import { PTE_ACCESSED, PTE_DIRTY, PTE_FRAME_SHIFT, PTE_HUGE, PTE_MIGRATION, PTE_WRITE } from '../page-table.ts'

/**
 * Makes one huge page of 2 MiB of anonymous memory. The small pages are taken away inside one invalidation; copied after
 * its end; only then the huge entry appears. Pages that were not there are zeroes; swapped ones come in first.
 * Source: Linux `collapse_huge_page` (MMU_NOTIFY_CLEAR, 2 MiB).
 *
 * @returns false when the memory is not wholly in one anonymous mapping, is huge already, or no huge page is free
 */
export function collapse(mm: Mm, address: number): boolean {
  mm.checkRange(address, HUGE_BYTES)
  if (address % HUGE_BYTES !== 0) throw refused('ERR_MISALIGNED', 'address', address, 'a multiple of 2 MiB')
  const { physical, table } = mm
  const vma = mm.vmas.find(address)
  if (vma === null || vma.kind !== 'anonymous' || !vma.read || address + HUGE_BYTES > vma.end) return false
  const head = address / PAGE_BYTES
  const end = head + HUGE_PAGES
  if ((table.entry(head) & PTE_HUGE) !== 0) return false
  for (let page = table.next(head, end); page >= 0; page = table.next(page + 1, end))
    if (!isMapped(table.entry(page)) && handleFault(mm, page, ACCESS_READ) < 0) return false
  const first = physical.allocateHuge()
  if (first < 0) return false
  const frames = new Map<number, number>()
  mm.invalidatePages(head, HUGE_PAGES, 'clear', () => {
    for (let page = table.next(head, end); page >= 0; page = table.next(page + 1, end)) {
      const frame = mm.unmap(page, table.entry(page))
      frames.set(page, frame)
      // A fault has to wait until the huge page is there (Linux: for mmap_lock).
      mm.setEntry(page, (frame << PTE_FRAME_SHIFT) | PTE_MIGRATION)
    }
  })
  // A page that was not there before and is now was touched by a listener: it is taken along.
  for (let page = table.next(head, end); page >= 0; page = table.next(page + 1, end)) {
    const entry = table.entry(page)
    if (isMapped(entry)) frames.set(page, mm.unmap(page, entry))
    else mm.setEntry(page, 0)
  }
  for (const [page, frame] of frames) {
    physical.copyFrame(first + (page - head), frame)
    mm.putMapping(frame)
  }
  mm.mapHuge(head, first, USER_PAGE | PTE_ACCESSED | PTE_DIRTY | (vma.write ? PTE_WRITE : 0))
  return true
}
