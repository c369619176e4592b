import { checkBoolean, checkObject } from '../../check-argument.ts'
import { HUGE_PAGES, PAGE_BYTES } from '../../page-size.ts'
import { isMapped, type Mm } from '../mm.ts'
import { PTE_HUGE, PTE_PRESENT, PTE_PROTNONE, PTE_WRITE } from '../page-table.ts'
import type { Vma } from '../vma.ts'

/** What a mapping permits. Writing implies reading: x86-64 has no page that can only be written. */
export interface Protection {
  readonly read: boolean
  readonly write: boolean
}

/**
 * Changes what mappings permit: the mappings first, then the entries, one invalidation for each mapping. A permission
 * that is given takes effect in the entries where no fault has to see the first write.
 * Source: Linux `mprotect_fixup`, `change_protection` (MMU_NOTIFY_PROTECTION_VMA).
 */
export function mprotect(mm: Mm, address: number, length: number, protection: Protection): void {
  mm.checkMapped(address, length)
  checkObject('protection', protection, '{ read, write }')
  checkBoolean('protection.read', protection.read)
  checkBoolean('protection.write', protection.write)
  const end = address + length
  const { write } = protection
  const read = protection.read || write
  mm.splitEdges(address / PAGE_BYTES, end / PAGE_BYTES)
  for (const vma of mm.vmas.isolate(address, end)) {
    const changed: Vma = { ...vma, read, write }
    mm.vmas.replace(vma, changed)
    mm.invalidate(vma.start, vma.end, 'protection-vma', () => changeEntries(mm, changed))
  }
}

function changeEntries(mm: Mm, vma: Vma): void {
  const end = vma.end / PAGE_BYTES
  const { table } = mm
  // Copy-on-write and writeback have to see the first write; nothing asks for that of shared memory.
  const writable = vma.write && !vma.private && vma.kind !== 'file'
  for (let page = table.next(vma.start / PAGE_BYTES, end); page >= 0; ) {
    const entry = table.entry(page)
    if (isMapped(entry)) {
      let changed = entry & ~(PTE_PRESENT | PTE_PROTNONE)
      changed |= vma.read ? PTE_PRESENT : PTE_PROTNONE
      if (!vma.write) changed &= ~PTE_WRITE
      else if (writable) changed |= PTE_WRITE
      if ((entry & PTE_HUGE) !== 0) mm.setHugeEntry(page, changed)
      else mm.setEntry(page, changed)
    }
    page = table.next(page + ((entry & PTE_HUGE) !== 0 ? HUGE_PAGES : 1), end)
  }
}
