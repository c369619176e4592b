import { PAGE_BYTES } from '../../page-size.ts'
import { isMapped, type Mm } from '../mm.ts'
import { frameOf, PTE_FRAME_SHIFT, PTE_SWAP } from '../page-table.ts'
import type { PhysicalMemory } from '../physical-memory.ts'
import { unmapEverywhere } from './unmap-everywhere.ts'
import { cleanPage } from './writeback.ts'

/**
 * Takes the pages of a range out of memory: anonymous and shared ones to swap, those of a file back to the file. Every
 * process that maps a page loses it, inside an invalidation of its own. The contents are saved after the last, so what
 * a listener marked dirty in its callback is saved too. What it did not mark may be lost. Pages of hugetlb stay.
 * Source: Linux `shrink_folio_list`, `try_to_unmap` (MMU_NOTIFY_CLEAR), `pageout`.
 *
 * @returns pages that left memory
 */
export function reclaim(mm: Mm, address: number, length: number): number {
  mm.checkMapped(address, length)
  const end = (address + length) / PAGE_BYTES
  let reclaimed = 0
  for (let page = mm.table.next(address / PAGE_BYTES, end); page >= 0; page = mm.table.next(page + 1, end)) {
    const entry = mm.table.entry(page)
    if (!isMapped(entry)) continue
    const frame = frameOf(entry)
    const cache = mm.physical.cacheOf(frame)
    if (cache === null) reclaimed += swapAnonymous(mm, frame)
    else if (cache.kind !== 'hugetlb') reclaimed += reclaimCached(mm.physical, frame)
  }
  return reclaimed
}

/** A page with a copy in swap that is still right is dropped without writing. */
function swapAnonymous(mm: Mm, frame: number): number {
  const { physical } = mm
  const { swap } = physical
  let slot = swap.slotOf(frame)
  if (slot < 0) {
    slot = swap.add(frame)
    // The swap cache's reference. A page that was never written out is dirty by definition (add_to_swap).
    physical.hold(frame)
    physical.setDirty(frame)
  }
  const taken = unmapEverywhere(physical, frame, (owner, page) => {
    swap.hold(slot)
    owner.setEntry(page, (slot << PTE_FRAME_SHIFT) | PTE_SWAP)
  })
  const gone = physical.mapCount(frame) === 0 && taken > 0
  // The first of these writes the page out and takes it from the swap cache, if it has no mapping any more.
  for (let i = 0; i < taken; i++) mm.putMapping(frame)
  return gone ? 1 : 0
}

function reclaimCached(physical: PhysicalMemory, frame: number): number {
  const cache = physical.cacheOf(frame)!
  const taken = unmapEverywhere(physical, frame, () => {})
  for (let i = 0; i < taken; i++) physical.put(frame)
  // A listener faulted it in again meanwhile: it is in use, and stays.
  if (physical.mapCount(frame) > 0) return 0
  const index = cache.indexOf(frame)
  if (cache.kind === 'shmem') cache.swapOut(index)
  else {
    if (physical.isDirty(frame)) cleanPage(cache, index, frame)
    cache.drop(index)
  }
  return 1
}
