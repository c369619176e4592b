import { isMapped, Mm } from '../mm.ts'
import { frameOf } from '../page-table.ts'
import type { PhysicalMemory } from '../physical-memory.ts'

/**
 * Takes a frame away from everyone who maps it, one invalidation for each mapping. The references of the mappings stay
 * with whatever `leave` puts there, or with the caller. Source: Linux `try_to_unmap`, `try_to_migrate`
 * (MMU_NOTIFY_CLEAR, one page).
 *
 * @param leave puts something in the entry's place, inside the invalidation
 * @returns mappings that were taken away
 */
export function unmapEverywhere(
  physical: PhysicalMemory,
  frame: number,
  leave: (mm: Mm, page: number, entry: number) => void,
): number {
  let taken = 0
  for (const key of physical.mappingsOf(frame)) {
    const { mm, page } = Mm.ofKey(physical, key)
    mm.splitHuge(page)
    mm.invalidatePages(page, 1, 'clear', () => {
      const entry = mm.table.entry(page)
      // A listener may have broken copy-on-write here meanwhile: then the frame is gone from this page already.
      if (!isMapped(entry) || frameOf(entry) !== frame) return
      mm.unmap(page, entry)
      leave(mm, page, entry)
      taken++
    })
  }
  return taken
}
