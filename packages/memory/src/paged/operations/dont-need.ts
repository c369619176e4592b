import { PAGE_BYTES } from '../../page-size.ts'
import type { Mm } from '../mm.ts'

/**
 * Drops the pages of a range; the mappings stay, and the next access faults fresh pages in: zeroes, or the file's.
 * Source: Linux `madvise(MADV_DONTNEED)`, `zap_page_range` (MMU_NOTIFY_CLEAR), one invalidation for each mapping.
 */
export function dontNeed(mm: Mm, address: number, length: number): void {
  mm.checkMapped(address, length)
  const end = address + length
  mm.splitEdges(address / PAGE_BYTES, end / PAGE_BYTES)
  for (const vma of mm.vmas.overlapping(address, end)) {
    const from = Math.max(vma.start, address)
    const to = Math.min(vma.end, end)
    mm.invalidate(from, to, 'clear', () => mm.zapRange(from / PAGE_BYTES, to / PAGE_BYTES))
    mm.freeGathered()
  }
}
