import { HUGE_PAGES } from '../page-size.ts'

// Bits of an entry. Those that x86-64 has are where it has them; the others are the kernel's own use of bits that the
// hardware ignores. Source: Intel SDM volume 3 table 4-20; Linux arch/x86/include/asm/pgtable_types.h.
export const PTE_PRESENT = 0x001
export const PTE_WRITE = 0x002
export const PTE_USER = 0x004
export const PTE_ACCESSED = 0x020
export const PTE_DIRTY = 0x040
/** The entry of the second-lowest table maps 512 pages. */
export const PTE_HUGE = 0x080
/** Not present for the hardware, but the frame is there: a NUMA hint, or a VMA without access. */
export const PTE_PROTNONE = 0x100
/** Not present; the frame bits are a swap slot. */
export const PTE_SWAP = 0x200
/** Not present; the frame is being copied elsewhere. */
export const PTE_MIGRATION = 0x400
/** No execution: bit 63 of the hardware's entry. The model has no code, so every entry has it. */
export const PTE_NX = 0x800
/** Where the frame number (or swap slot) begins: an entry without its flags is the frame's byte offset. */
export const PTE_FRAME_SHIFT = 12
export const PTE_FLAGS = 0xfff

/** The frame's byte offset, or the swap slot shifted. */
export const frameOffset = (entry: number): number => entry & ~PTE_FLAGS
export const frameOf = (entry: number): number => entry >>> PTE_FRAME_SHIFT

const ENTRIES = 512
const NODE_SHIFT = 9

/**
 * Four-level page table, all nodes in one array.
 *
 * ```
 *  47      39 38      30 29      21 20      12 11         0
 * +----------+----------+----------+----------+------------+
 * |  PGD     |  PUD     |  PMD     |  PTE     |  offset    |   a page number is the address without its offset
 * +----------+----------+----------+----------+------------+
 *   node 0     node n     | PTE_HUGE: 2 MiB     | 4 KiB
 * ```
 *
 * An entry of the upper levels is the child's node number, shifted, and PTE_PRESENT. A node is freed with its last entry.
 * Pages are numbers below 2^35: their low 32 bits index the three lower tables.
 */
export class PageTable {
  /** Entries, 512 a node. Node 0 is the root. */
  #nodes = new Uint32Array(8 * ENTRIES)
  /** Entries in use in each node. */
  #population = new Uint16Array(8)
  #freeNodes: number[] = []
  #nodeCount = 1

  /** Nodes in use, the root too. */
  get nodes(): number {
    return this.#nodeCount - this.#freeNodes.length
  }

  /**
   * The entry that maps `page`, 0 for none. A huge entry is given as that of the page inside it: its frame, and PTE_HUGE.
   */
  entry(page: number): number {
    const pmd = this.#pmd(page)
    if (pmd < 0) return 0
    const nodes = this.#nodes
    const middle = nodes[pmd]
    if ((middle & PTE_HUGE) !== 0) return middle + ((page & (HUGE_PAGES - 1)) << PTE_FRAME_SHIFT)
    if (middle === 0) return 0
    return nodes[((middle >>> PTE_FRAME_SHIFT) << NODE_SHIFT) + (page & 511)]
  }

  /** Sets the entry of one 4 KiB page; 0 clears. The page is not under a huge entry. */
  set(page: number, entry: number): void {
    if (entry === 0) {
      this.#clear(page)
      return
    }
    const node = this.#descend(page, 3)
    this.#put(node, page & 511, entry)
  }

  /** Sets the huge entry that maps 512 pages from `page`, a multiple of 512; 0 clears. No 4 KiB entry is below it. */
  setHuge(page: number, entry: number): void {
    if (entry === 0) {
      this.#clear(page)
      return
    }
    const node = this.#descend(page, 2)
    this.#put(node, (page >>> 9) & 511, entry)
  }

  /** Sets flags in the entry that maps `page` as a whole, huge or not. */
  addFlags(page: number, flags: number): void {
    const pmd = this.#pmd(page)
    const nodes = this.#nodes
    const middle = nodes[pmd]
    if ((middle & PTE_HUGE) !== 0) nodes[pmd] |= flags
    else nodes[((middle >>> PTE_FRAME_SHIFT) << NODE_SHIFT) + (page & 511)] |= flags
  }

  /** First page in [from, end) that has an entry, or -1. Skips what has no tables. */
  next(from: number, end: number): number {
    const nodes = this.#nodes
    for (let page = from; page < end; ) {
      let node = 0
      let depth = 0
      for (; depth < 4; depth++) {
        const entry = nodes[(node << NODE_SHIFT) + this.#index(page, depth)]
        if (entry === 0) break
        if (depth === 3 || (entry & PTE_HUGE) !== 0) return page
        node = entry >>> PTE_FRAME_SHIFT
      }
      // Nothing here: on to the next entry of this depth.
      const pages = 2 ** (27 - 9 * depth)
      page = (Math.floor(page / pages) + 1) * pages
    }
    return -1
  }

  /** Index of the entry in the second-lowest table, or -1. */
  #pmd(page: number): number {
    const nodes = this.#nodes
    const top = nodes[this.#index(page, 0)]
    if (top === 0) return -1
    const upper = nodes[((top >>> PTE_FRAME_SHIFT) << NODE_SHIFT) + ((page >>> 18) & 511)]
    if (upper === 0) return -1
    return ((upper >>> PTE_FRAME_SHIFT) << NODE_SHIFT) + ((page >>> 9) & 511)
  }

  /** Index in the table of depth `depth` (0: root) on the way to `page`. */
  #index(page: number, depth: number): number {
    // A page has 35 bits; shifts see the low 32.
    if (depth === 0) return Math.floor(page / 2 ** 27) & 511
    return (page >>> (27 - 9 * depth)) & 511
  }

  /** The node of depth `depth` on the way to `page`, made where it is missing. */
  #descend(page: number, depth: number): number {
    let node = 0
    for (let level = 0; level < depth; level++) {
      const index = this.#index(page, level)
      const entry = this.#nodes[(node << NODE_SHIFT) + index]
      if (entry === 0) {
        const child = this.#allocate()
        this.#put(node, index, (child << PTE_FRAME_SHIFT) | PTE_PRESENT)
        node = child
      } else node = entry >>> PTE_FRAME_SHIFT
    }
    return node
  }

  #put(node: number, index: number, entry: number): void {
    const at = (node << NODE_SHIFT) + index
    if (this.#nodes[at] === 0) this.#population[node]++
    this.#nodes[at] = entry
  }

  /** Clears the entry that maps `page`, huge or not, and frees the tables that are empty then. */
  #clear(page: number): void {
    const path: number[] = []
    let node = 0
    for (let depth = 0; depth < 4; depth++) {
      const at = (node << NODE_SHIFT) + this.#index(page, depth)
      const entry = this.#nodes[at]
      if (entry === 0) return
      path.push(node)
      if (depth === 3 || (entry & PTE_HUGE) !== 0) break
      node = entry >>> PTE_FRAME_SHIFT
    }
    for (let depth = path.length - 1; depth >= 0; depth--) {
      const owner = path[depth]
      this.#nodes[(owner << NODE_SHIFT) + this.#index(page, depth)] = 0
      if (--this.#population[owner] > 0 || depth === 0) return
      this.#freeNodes.push(owner)
    }
  }

  #allocate(): number {
    const free = this.#freeNodes.pop()
    if (free !== undefined) return free
    const node = this.#nodeCount++
    if (node === this.#population.length) {
      const nodes = new Uint32Array(2 * this.#nodes.length)
      nodes.set(this.#nodes)
      this.#nodes = nodes
      const population = new Uint16Array(2 * this.#population.length)
      population.set(this.#population)
      this.#population = population
    }
    return node
  }
}
