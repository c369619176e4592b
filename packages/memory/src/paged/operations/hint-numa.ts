import { HUGE_PAGES, PAGE_BYTES } from '../../page-size.ts'
import type { Mm } from '../mm.ts'
import { PTE_HUGE, PTE_PRESENT, PTE_PROTNONE } from '../page-table.ts'

/**
 * Makes the next access to each page of a range fault, to learn who uses it; the fault restores the page without notice.
 * Source: Linux `change_prot_numa`, `change_protection` (MMU_NOTIFY_PROTECTION_VMA). Mappings of hugetlb are left out.
 *
 * @returns pages that got a hint
 */
export function hintNuma(mm: Mm, address: number, length: number): number {
  mm.checkMapped(address, length)
  const end = address + length
  mm.splitEdges(address / PAGE_BYTES, end / PAGE_BYTES)
  let hinted = 0
  for (const vma of mm.vmas.overlapping(address, end)) {
    if (vma.kind === 'hugetlb') continue
    const from = Math.max(vma.start, address)
    const to = Math.min(vma.end, end)
    mm.invalidate(from, to, 'protection-vma', () => {
      hinted += hintEntries(mm, from / PAGE_BYTES, to / PAGE_BYTES)
    })
  }
  return hinted
}

function hintEntries(mm: Mm, from: number, end: number): number {
  let hinted = 0
  for (let page = mm.table.next(from, end); page >= 0; ) {
    const entry = mm.table.entry(page)
    const huge = (entry & PTE_HUGE) !== 0
    if ((entry & PTE_PRESENT) !== 0) {
      const changed = (entry & ~PTE_PRESENT) | PTE_PROTNONE
      if (huge) mm.setHugeEntry(page, changed)
      else mm.setEntry(page, changed)
      hinted += huge ? HUGE_PAGES : 1
    }
    page = mm.table.next(page + (huge ? HUGE_PAGES : 1), end)
  }
  return hinted
}
