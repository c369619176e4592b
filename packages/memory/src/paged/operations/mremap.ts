import { refused } from '@vring/layout'
import { HUGE_BYTES, HUGE_PAGES, PAGE_BYTES } from '../../page-size.ts'
import { isMapped, type Mm } from '../mm.ts'
import { frameOf, PTE_HUGE } from '../page-table.ts'
import { munmap } from './munmap.ts'

/**
 * Resizes a mapping and moves it where it must, or to `to`, which is free. The pages move: same frames at other
 * addresses. Source: Linux `mremap`, `move_page_tables` (MMU_NOTIFY_UNMAP), then the munmap of what is left.
 *
 * @returns where the mapping is now
 */
export function mremap(mm: Mm, address: number, length: number, newLength: number, to?: number): number {
  mm.checkMapped(address, length)
  if (!(Number.isSafeInteger(newLength) && newLength > 0 && newLength <= mm.limit - address))
    throw refused('ERR_OUT_OF_RANGE', 'newLength', newLength, `1 .. ${mm.limit - address}`)
  const vma = mm.vmas.find(address)
  if (vma === null || address + length > vma.end)
    throw refused('ERR_INVALID_ARGUMENT', 'length', length, 'a range inside one mapping')
  const unit = vma.kind === 'hugetlb' ? HUGE_BYTES : PAGE_BYTES
  if (newLength % unit !== 0) throw refused('ERR_MISALIGNED', 'newLength', newLength, `a multiple of ${unit}`)
  if (to !== undefined) checkTarget(mm, to, newLength, unit)
  if (newLength < length) munmap(mm, address + newLength, length - newLength)
  const kept = Math.min(length, newLength)
  if (to === undefined) {
    if (newLength <= length) return address
    if (vma.end === address + length && mm.vmas.overlapping(vma.end, address + newLength).length === 0) {
      mm.vmas.replace(vma, { ...vma, end: address + newLength })
      return address
    }
  }
  const target = to ?? mm.vmas.gap(address, newLength, unit)
  mm.checkRange(target, newLength)
  mm.splitEdges(address / PAGE_BYTES, (address + kept) / PAGE_BYTES)
  const [moved] = mm.vmas.isolate(address, address + kept)
  mm.vmas.add({ ...moved, start: target, end: target + newLength })
  movePages(mm, address / PAGE_BYTES, target / PAGE_BYTES, kept / PAGE_BYTES)
  munmap(mm, address, kept)
  return target
}

function checkTarget(mm: Mm, to: number, length: number, unit: number): void {
  mm.checkRange(to, length)
  if (to % unit !== 0) throw refused('ERR_MISALIGNED', 'to', to, `a multiple of ${unit}`)
  const [taken] = mm.vmas.overlapping(to, to + length)
  if (taken !== undefined)
    throw refused('ERR_OVERLAP', 'to', to, `a free range; 0x${taken.start.toString(16)} is mapped`)
}

function movePages(mm: Mm, from: number, to: number, count: number): void {
  const { table, physical } = mm
  const end = from + count
  // A huge page can move as one only between addresses that are aligned alike.
  if ((to - from) % HUGE_PAGES !== 0)
    for (let page = table.next(from, end); page >= 0; page = table.next(page + 1, end)) mm.splitHuge(page)
  mm.invalidatePages(from, count, 'unmap', () => {
    for (let page = table.next(from, end); page >= 0; ) {
      const entry = table.entry(page)
      const target = page - from + to
      const pages = (entry & PTE_HUGE) !== 0 ? HUGE_PAGES : 1
      if (isMapped(entry))
        for (let i = 0; i < pages; i++) {
          physical.removeMapping(frameOf(entry) + i, mm.key(page + i))
          physical.addMapping(frameOf(entry) + i, mm.key(target + i))
        }
      if (pages > 1) {
        mm.setHugeEntry(page, 0)
        mm.setHugeEntry(target, entry)
      } else {
        mm.setEntry(page, 0)
        mm.setEntry(target, entry)
      }
      page = table.next(page + pages, end)
    }
  })
}
