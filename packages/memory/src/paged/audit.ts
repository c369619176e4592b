import { ACCESS_READ, ACCESS_WRITE } from '../address-map.ts'
import { HUGE_PAGES, PAGE_BYTES } from '../page-size.ts'
import { isMapped } from './mm.ts'
import { frameOf, PTE_DIRTY, PTE_HUGE, PTE_MIGRATION, PTE_PRESENT, PTE_SWAP, PTE_WRITE } from './page-table.ts'
import type { PhysicalMemory } from './physical-memory.ts'

/**
 * Checks that frames are conserved. Every page-table entry is in the reverse map and the other way round. Every
 * reference has a holder, and every frame in use has a reference. Every swap slot has the entries it counts, and the
 * TLBs know nothing that the page tables don't. For tests and checkers; between operations.
 *
 * @returns what is wrong, a sentence each; empty when all is well
 */
export function auditFrames(physical: PhysicalMemory): string[] {
  const wrong: string[] = []
  const mapped = new Map<number, number>()
  const swapped = new Map<number, number>()
  const count = (counts: Map<number, number>, key: number): unknown => counts.set(key, (counts.get(key) ?? 0) + 1)
  for (const mm of physical.spaces) {
    const end = mm.limit / PAGE_BYTES
    for (let page = mm.table.next(0, end); page >= 0; ) {
      const entry = mm.table.entry(page)
      const pages = (entry & PTE_HUGE) !== 0 ? HUGE_PAGES : 1
      if (mm.vmas.find(page * PAGE_BYTES) === null) wrong.push(`page ${page} has an entry and no mapping`)
      if ((entry & PTE_MIGRATION) !== 0) wrong.push(`page ${page} is left in migration`)
      if ((entry & PTE_SWAP) !== 0) count(swapped, frameOf(entry))
      for (let i = 0; isMapped(entry) && i < pages; i++) {
        const frame = frameOf(entry) + i
        count(mapped, frame)
        if (!physical.mappingsOf(frame).includes(mm.key(page + i)))
          wrong.push(`page ${page + i} maps frame ${frame}, and the reverse map does not know`)
      }
      page = mm.table.next(page + pages, end)
    }
    for (const { start, end: vmaEnd } of mm.vmas.all)
      for (let page = start / PAGE_BYTES; page < vmaEnd / PAGE_BYTES; page++) {
        const entry = mm.table.entry(page)
        const read = (entry & PTE_PRESENT) !== 0
        const write = read && (entry & (PTE_WRITE | PTE_DIRTY)) === (PTE_WRITE | PTE_DIRTY)
        if (mm.tlb.holds(page * PAGE_BYTES, ACCESS_READ) && !read) wrong.push(`TLB reads page ${page}, which is gone`)
        if (mm.tlb.holds(page * PAGE_BYTES, ACCESS_WRITE) && !write)
          wrong.push(`TLB writes page ${page}, which is clean`)
        const at = mm.tlb.lookup(page * PAGE_BYTES, 1, ACCESS_READ)
        if (at >= 0 && read && at !== frameOf(entry) * PAGE_BYTES) wrong.push(`TLB has page ${page} in another frame`)
      }
  }
  for (let frame = 0; frame < physical.frames; frame++) {
    const slot = physical.swap.slotOf(frame)
    const holders = (mapped.get(frame) ?? 0) + (physical.cacheOf(frame) === null ? 0 : 1) + (slot < 0 ? 0 : 1)
    const { references, used } = { references: physical.references(frame), used: !physical.isFree(frame) }
    if (references !== holders) wrong.push(`frame ${frame} has ${references} references and ${holders} holders`)
    if (used !== references > 0)
      wrong.push(`frame ${frame} is ${used ? 'in use' : 'free'} with ${references} references`)
    if (physical.mapCount(frame) !== (mapped.get(frame) ?? 0))
      wrong.push(
        `frame ${frame} is in the reverse map ${physical.mapCount(frame)} times, in page tables ${mapped.get(frame) ?? 0}`,
      )
  }
  for (const [slot, entries] of swapped)
    if (physical.swap.entries(slot) < entries)
      wrong.push(`swap slot ${slot} is named by ${entries} entries and counts ${physical.swap.entries(slot)}`)
  return wrong
}
