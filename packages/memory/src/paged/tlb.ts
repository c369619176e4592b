import { ACCESS_WRITE, type Access } from '../address-map.ts'
import { PAGE_BYTES } from '../page-size.ts'

const SETS = 1024
/** No page has this address. */
const EMPTY = -1

/**
 * Translation lookaside buffer: direct-mapped, 1024 pages, tags apart for reading and writing, so that a write finds its
 * page only once the dirty bit is set. Nothing but a speed-up: code that changes a page-table entry flushes it here, as
 * kernel and hardware do, before it tells the end of the invalidation.
 */
export class Tlb {
  /** Addresses of the pages that may be read, by set. */
  private readonly readTags = new Float64Array(SETS).fill(EMPTY)
  /** Addresses of the pages that may be written. A page in here is the one of readTags. */
  private readonly writeTags = new Float64Array(SETS).fill(EMPTY)
  /** Byte offset of the page's frame. */
  private readonly base = new Int32Array(SETS)

  /** Byte offset of a range inside one cached page, or -1. Hot: an address is a double, its low bits one conversion. */
  lookup(address: number, length: number, access: Access): number {
    const offset = address & (PAGE_BYTES - 1)
    const set = (address >>> 12) & (SETS - 1)
    const tag = access === ACCESS_WRITE ? this.writeTags[set] : this.readTags[set]
    return tag === address - offset && offset + length <= PAGE_BYTES ? this.base[set] + offset : -1
  }

  /** Caches a page. */
  fill(pageAddress: number, base: number, access: Access): void {
    const set = (pageAddress >>> 12) & (SETS - 1)
    // One base serves both tags, so a page pushes out whatever either of them held.
    if (access === ACCESS_WRITE || this.writeTags[set] !== pageAddress)
      this.writeTags[set] = access === ACCESS_WRITE ? pageAddress : EMPTY
    this.readTags[set] = pageAddress
    this.base[set] = base
  }

  /** Forgets one page. */
  flush(pageAddress: number): void {
    const set = (pageAddress >>> 12) & (SETS - 1)
    if (this.readTags[set] === pageAddress) this.readTags[set] = EMPTY
    if (this.writeTags[set] === pageAddress) this.writeTags[set] = EMPTY
  }

  /** Is the page cached for this access? */
  holds(pageAddress: number, access: Access): boolean {
    return this.lookup(pageAddress, 1, access) >= 0
  }
}
