import { PAGE_BYTES } from '../../page-size.ts'
import type { Mm } from '../mm.ts'

/**
 * The mapping goes first, so that no access faults a page in again. Then comes one invalidation around the page tables.
 * The frames are freed after its end. Source: Linux `do_munmap`, `unmap_vmas` (MMU_NOTIFY_UNMAP), `tlb_finish_mmu`.
 */
export function munmap(mm: Mm, address: number, length: number): void {
  mm.checkRange(address, length)
  const end = address + length
  const vmas = mm.vmas.overlapping(address, end)
  if (vmas.length === 0) return
  mm.splitEdges(address / PAGE_BYTES, end / PAGE_BYTES)
  const inside = mm.vmas.isolate(address, end)
  for (const vma of inside) vma.cache?.hold()
  for (const vma of inside) mm.vmas.remove(vma)
  mm.invalidate(inside[0].start, inside[inside.length - 1].end, 'unmap', () => {
    for (const vma of inside) mm.zapRange(vma.start / PAGE_BYTES, vma.end / PAGE_BYTES)
  })
  // The caches were held until their pages had left the page table.
  mm.freeGathered()
  for (const vma of inside) vma.cache?.put()
}
