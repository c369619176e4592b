import {
  frameOf,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_HUGE,
  PTE_MIGRATION,
  PTE_PRESENT,
  PTE_PROTNONE,
  PTE_SWAP,
  PTE_USER,
  PTE_WRITE,
} from './page-table.ts'

/** By bit, ascending. PTE_NX is left out: every entry has it. */
const FLAG_NAMES: readonly (readonly [bit: number, name: string])[] = [
  [PTE_PRESENT, 'present'],
  [PTE_WRITE, 'write'],
  [PTE_USER, 'user'],
  [PTE_ACCESSED, 'accessed'],
  [PTE_DIRTY, 'dirty'],
  [PTE_HUGE, 'huge'],
  [PTE_PROTNONE, 'no access'],
  [PTE_SWAP, 'swapped'],
  [PTE_MIGRATION, 'migrating'],
]

/** A page-table entry for people. */
export interface EntryDescription {
  /** Names of the flags that are set. */
  readonly flags: readonly string[]
  /** The frame that is mapped, for the hardware or (no access) for the kernel only; else -1. */
  readonly frame: number
  /** Where the page is in swap; else -1. */
  readonly swapSlot: number
}

/** What an entry of {@link PageTable.entry} says: for tools that show page tables. */
export function describeEntry(entry: number): EntryDescription {
  return {
    flags: FLAG_NAMES.filter(([bit]) => (entry & bit) !== 0).map(([, name]) => name),
    frame: (entry & (PTE_PRESENT | PTE_PROTNONE)) === 0 ? -1 : frameOf(entry),
    swapSlot: (entry & PTE_SWAP) === 0 ? -1 : frameOf(entry),
  }
}
