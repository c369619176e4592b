import { ACCESS_WRITE, type Access } from '../address-map.ts'
import { PAGE_BYTES } from '../page-size.ts'

const SETS = 1024
/** No page has this address. */
const EMPTY = -1

// A thread has one set of them, as a CPU has: the module's and not a Tlb's, so that V8 compiles their addresses and lengths
// into the look-ups.
/** Addresses of the pages that may be read, by set. */
const readTags = new Float64Array(SETS).fill(EMPTY)
/** Addresses of the pages that may be written. A page in here is the one of readTags. */
const writeTags = new Float64Array(SETS).fill(EMPTY)
/** Byte offset of the page's frame. */
const bases = new Int32Array(SETS)
/** Whose pages they are. */
let owner: Tlb | null = null

/**
 * Translation lookaside buffer: direct-mapped, 1024 pages, tags apart for reading and writing. So a write finds its
 * page only once the dirty bit is set. Nothing but a speed-up. Code that changes a page-table entry flushes it here, as
 * kernel and hardware do, before it tells the end of the invalidation.
 *
 * The entries are the thread's. The address space that fills one takes them over from another. All entries of that
 * other are flushed, as by a load of CR3.
 */
export class Tlb {
  /** Byte offset of a range inside one cached page, or -1. Hot: an address is a double, its low bits one conversion. */
  lookup(address: number, length: number, access: Access): number {
    const offset = address & (PAGE_BYTES - 1)
    const set = (address >>> 12) & (SETS - 1)
    const tag = access === ACCESS_WRITE ? writeTags[set] : readTags[set]
    const hit = tag === address - offset && length <= PAGE_BYTES - offset && owner === this
    // As an integer: V8 would check the sum for an overflow.
    return hit ? (bases[set] + offset) | 0 : -1
  }

  /** Caches a page. */
  fill(pageAddress: number, base: number, access: Access): void {
    const set = (pageAddress >>> 12) & (SETS - 1)
    if (owner !== this) {
      readTags.fill(EMPTY)
      writeTags.fill(EMPTY)
      owner = this
    }
    // One base serves both tags, so a page pushes out whatever either of them held.
    if (access === ACCESS_WRITE || writeTags[set] !== pageAddress)
      writeTags[set] = access === ACCESS_WRITE ? pageAddress : EMPTY
    readTags[set] = pageAddress
    bases[set] = base
  }

  /** Forgets one page. */
  flush(pageAddress: number): void {
    if (owner !== this) return
    const set = (pageAddress >>> 12) & (SETS - 1)
    if (readTags[set] === pageAddress) readTags[set] = EMPTY
    if (writeTags[set] === pageAddress) writeTags[set] = EMPTY
  }

  /** Is the page cached for this access? */
  holds(pageAddress: number, access: Access): boolean {
    return this.lookup(pageAddress, 1, access) >= 0
  }
}
