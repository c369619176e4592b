import { PAGE_BYTES } from '../page-size.ts'
import type { Mm } from './mm.ts'
import { frameOf, PTE_PRESENT, PTE_PROTNONE, PTE_USER, PTE_WRITE } from './page-table.ts'

/**
 * Why a page was not given. `absent`: nothing there, or swapped out, or being migrated. `hinted`: a NUMA hint or no
 * access. `read-only`: to be written, but write-protected, for copy-on-write, for writeback or for good.
 */
export type GupFailure = 'absent' | 'hinted' | 'read-only'

/** Frames of a range, or why the first page that failed did. */
export type GupResult = { readonly frames: Int32Array } | { readonly failure: GupFailure; readonly page: number }

/**
 * Looks frames up in the page table and faults nothing in: `__get_user_pages_fast`. No reference is kept, as V2 of the
 * patch and all later ones gave theirs back at once. The MMU notifier is what keeps the frames valid.
 *
 * @param address page-aligned or not: every page of [address, address + length) is looked up (hazard M22)
 */
export function getUserPagesFast(mm: Mm, address: number, length: number, write: boolean): GupResult {
  const first = Math.floor(address / PAGE_BYTES)
  const count = Math.floor((address + length - 1) / PAGE_BYTES) - first + 1
  const needed = PTE_PRESENT | PTE_USER | (write ? PTE_WRITE : 0)
  // Grows with what is there: a range that is only reserved may be larger than any array.
  const frames: number[] = []
  for (let i = 0; i < count; i++) {
    const entry = mm.table.entry(first + i)
    if ((entry & needed) !== needed) return { failure: failureOf(entry), page: first + i }
    frames.push(frameOf(entry))
  }
  return { frames: Int32Array.from(frames) }
}

function failureOf(entry: number): GupFailure {
  if ((entry & PTE_PROTNONE) !== 0) return 'hinted'
  return (entry & PTE_PRESENT) === 0 ? 'absent' : 'read-only'
}
