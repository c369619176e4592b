import { PAGE_BYTES } from '../../page-size.ts'
import { Mm } from '../mm.ts'
import type { PageCache } from '../page-cache.ts'
import { PTE_DIRTY, PTE_WRITE } from '../page-table.ts'

/**
 * Writes the dirty pages of a file back. Each is write-protected first wherever it is mapped shared, inside an
 * invalidation, so that the next write is noticed. Then it counts as clean, and then it is written.
 * Source: Linux `write_cache_pages`, `clear_page_dirty_for_io`, `page_mkclean` (MMU_NOTIFY_PROTECTION_PAGE).
 *
 * @returns pages that were written
 */
export function writeback(file: PageCache): number {
  if (file.kind !== 'file') return 0
  let written = 0
  for (const [index, frame] of [...file.cached]) {
    if (!file.physical.isDirty(frame)) continue
    cleanPage(file, index, frame)
    written++
  }
  return written
}

/** One page: protect, mark clean, write. */
export function cleanPage(file: PageCache, index: number, frame: number): void {
  const { physical } = file
  for (const key of physical.mappingsOf(frame)) {
    const { mm, page } = Mm.ofKey(physical, key)
    if (mm.vmas.find(page * PAGE_BYTES)?.private === true) continue
    mm.invalidatePages(page, 1, 'protection-page', () => {
      const entry = mm.table.entry(page)
      if ((entry & (PTE_WRITE | PTE_DIRTY)) !== 0) mm.setEntry(page, entry & ~(PTE_WRITE | PTE_DIRTY))
    })
  }
  physical.clearDirty(frame)
  file.store(index, frame)
}
