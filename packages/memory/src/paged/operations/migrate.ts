import { PAGE_BYTES } from '../../page-size.ts'
import { isMapped, type Mm } from '../mm.ts'
import { frameOf, PTE_DIRTY, PTE_FLAGS, PTE_FRAME_SHIFT, PTE_MIGRATION } from '../page-table.ts'
import { unmapEverywhere } from './unmap-everywhere.ts'

/**
 * Moves the pages of a range to other frames: compaction, NUMA balancing, memory hotplug. Every mapping of a page is
 * replaced by a migration entry, each inside its own invalidation. Then the page is copied, and the entries get the new
 * frame without notice. No listener can hold a translation that was not there. Pages of hugetlb stay.
 * Source: Linux `migrate_pages`, `try_to_migrate` (MMU_NOTIFY_CLEAR), `remove_migration_ptes`.
 *
 * @returns pages that were moved; fewer than there are when memory runs out
 */
export function migrate(mm: Mm, address: number, length: number): number {
  mm.checkMapped(address, length)
  const end = (address + length) / PAGE_BYTES
  let moved = 0
  for (let page = mm.table.next(address / PAGE_BYTES, end); page >= 0; page = mm.table.next(page + 1, end)) {
    const entry = mm.table.entry(page)
    if (!isMapped(entry) || mm.vmas.find(page * PAGE_BYTES)?.kind === 'hugetlb') continue
    const status = migrateFrame(mm, frameOf(entry))
    if (status < 0) break
    moved += status
  }
  return moved
}

/** @returns 1 when the frame moved, 0 when another process mapped it meanwhile, -ENOMEM */
function migrateFrame(mm: Mm, old: number): number {
  const { physical } = mm
  const fresh = physical.allocate()
  if (fresh < 0) return fresh
  const places: { mm: Mm; page: number; flags: number }[] = []
  unmapEverywhere(physical, old, (owner, page, entry) => {
    owner.setEntry(page, (old << PTE_FRAME_SHIFT) | PTE_MIGRATION)
    // The dirty bit went to the frame; it goes to the new frame from there.
    places.push({ mm: owner, page, flags: entry & PTE_FLAGS & ~PTE_DIRTY })
  })
  // A listener that faulted the page in elsewhere keeps it where it is (Linux: an unexpected reference).
  const done = physical.mapCount(old) === 0
  if (done) moveIdentity(mm, old, fresh)
  for (const place of places) {
    place.mm.setEntry(place.page, 0)
    if (done) {
      physical.hold(fresh)
      physical.put(old)
    }
    place.mm.map(place.page, done ? fresh : old, place.flags)
  }
  physical.put(fresh)
  return done ? 1 : 0
}

/** Contents, dirtiness, and the places in page cache and swap cache. */
function moveIdentity(mm: Mm, old: number, fresh: number): void {
  const { physical } = mm
  physical.copyFrame(fresh, old)
  if (physical.isDirty(old)) physical.setDirty(fresh)
  if (physical.isMerged(old)) physical.setMerged(fresh)
  const cache = physical.cacheOf(old)
  if (cache !== null) {
    physical.hold(fresh)
    cache.replace(cache.indexOf(old), fresh)
  }
  const slot = physical.swap.slotOf(old)
  if (slot >= 0) {
    physical.hold(fresh)
    physical.swap.moveCache(slot, fresh)
    physical.put(old)
  }
}
