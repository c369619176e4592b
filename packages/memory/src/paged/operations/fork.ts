import { HUGE_PAGES, PAGE_BYTES } from '../../page-size.ts'
import { isMapped, type Mm } from '../mm.ts'
import { frameOf, PTE_ACCESSED, PTE_FLAGS, PTE_HUGE, PTE_SWAP, PTE_WRITE } from '../page-table.ts'
import type { Vma } from '../vma.ts'

/**
 * Copies an address space into an empty one. Private pages are shared and write-protected on both sides, inside an
 * invalidation of the parent's mapping: the first to write copies. Shared mappings need no entries, the child faults
 * its own. Listeners are not inherited. Source: Linux `dup_mmap`, `copy_page_range` (MMU_NOTIFY_PROTECTION_PAGE).
 */
export function fork(parent: Mm, child: Mm): void {
  for (const vma of parent.vmas.all) {
    child.vmas.add(vma)
    // A mapping that was never touched has nothing to protect.
    if (vma.private && parent.table.next(vma.start / PAGE_BYTES, vma.end / PAGE_BYTES) >= 0)
      parent.invalidate(vma.start, vma.end, 'protection-page', () => copyEntries(parent, child, vma))
  }
}

function copyEntries(parent: Mm, child: Mm, vma: Vma): void {
  const { physical, table } = parent
  const end = vma.end / PAGE_BYTES
  for (let page = table.next(vma.start / PAGE_BYTES, end); page >= 0; ) {
    const entry = table.entry(page)
    const pages = (entry & PTE_HUGE) !== 0 ? HUGE_PAGES : 1
    const frame = frameOf(entry)
    const flags = entry & PTE_FLAGS & ~(PTE_WRITE | PTE_ACCESSED | PTE_HUGE)
    if (isMapped(entry)) {
      for (let i = 0; i < pages; i++) physical.hold(frame + i)
      if (pages > 1) {
        parent.setHugeEntry(page, entry & ~PTE_WRITE)
        child.mapHuge(page, frame, flags)
      } else {
        parent.setEntry(page, entry & ~PTE_WRITE)
        child.map(page, frame, flags)
      }
    } else if ((entry & PTE_SWAP) !== 0) {
      physical.swap.hold(frame)
      child.setEntry(page, entry)
    }
    page = table.next(page + pages, end)
  }
}
