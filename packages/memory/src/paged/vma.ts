import { Cell, type SyncPort, uncountedSyncPort } from '@vring/mmu-notifier'
import type { PageCache } from './page-cache.ts'

/**
 * What backs a mapping. `anonymous`: private memory. `shared`: shared memory (shmem), anonymous or a memfd. `file`: a
 * file with writeback, shared or private. `hugetlb`: shared memory in 2 MiB pages.
 */
export type VmaKind = 'anonymous' | 'shared' | 'file' | 'hugetlb'

/** One mapping of an address space: [start, end), page-aligned. Replaced, never changed. Source: `vm_area_struct`. */
export interface Vma {
  readonly start: number
  readonly end: number
  readonly kind: VmaKind
  readonly read: boolean
  readonly write: boolean
  /** Writes stay in this address space: copy-on-write. */
  readonly private: boolean
  /** Null for anonymous memory. */
  readonly cache: PageCache | null
  /** Page index in the cache of {@link start}. */
  readonly cacheIndex: number
}

/** The mappings of an address space, sorted and without overlap. Holds the caches that its members map. */
export class VmaSet {
  readonly #port: SyncPort
  /** Replaced, never changed. Its members are known by where they start. */
  protected readonly vmas: Cell<readonly Vma[]> = new Cell<readonly Vma[]>('vmas', [])

  /** @param port through which the set is shared; default: one thread */
  constructor(port: SyncPort = uncountedSyncPort) {
    this.#port = port
  }

  get all(): readonly Vma[] {
    return this.#port.load(this.vmas)
  }

  /** The mapping that holds `address`, or null. Logarithmic. */
  find(address: number): Vma | null {
    const vmas = this.all
    let low = 0
    let high = vmas.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (vmas[middle].start <= address) low = middle + 1
      else high = middle
    }
    const vma = low > 0 ? vmas[low - 1] : undefined
    return vma !== undefined && address < vma.end ? vma : null
  }

  /** Those that overlap [start, end), ascending. */
  overlapping(start: number, end: number): Vma[] {
    return this.all.filter((vma) => vma.start < end && start < vma.end)
  }

  /** Is every address of [start, end) in a mapping? */
  covers(start: number, end: number): boolean {
    let at = start
    for (const vma of this.overlapping(start, end)) {
      if (vma.start > at) return false
      at = vma.end
    }
    return at >= end
  }

  /** Adds a mapping that overlaps none. */
  add(vma: Vma): void {
    const vmas = this.all
    const at = vmas.findIndex((other) => other.start > vma.start)
    this.#port.store(this.vmas, vmas.toSpliced(at < 0 ? vmas.length : at, 0, vma))
    vma.cache?.hold()
  }

  remove(vma: Vma): void {
    this.#port.store(
      this.vmas,
      this.all.filter(({ start }) => start !== vma.start),
    )
    vma.cache?.put()
  }

  /** Splits mappings at both ends of [start, end) and gives those inside. Source: Linux `split_vma`. */
  isolate(start: number, end: number): Vma[] {
    this.#splitAt(start)
    this.#splitAt(end)
    return this.overlapping(start, end)
  }

  /** Puts another mapping in a mapping's place. */
  replace(old: Vma, vma: Vma): void {
    vma.cache?.hold()
    this.#port.store(
      this.vmas,
      this.all.map((other) => (other.start === old.start ? vma : other)),
    )
    old.cache?.put()
  }

  /** Lowest address at or above `from` with `length` free bytes from there, a multiple of `alignment`. */
  gap(from: number, length: number, alignment: number): number {
    let at = Math.ceil(from / alignment) * alignment
    for (const vma of this.all) {
      if (vma.end <= at) continue
      if (vma.start - at >= length) break
      at = Math.ceil(vma.end / alignment) * alignment
    }
    return at
  }

  #splitAt(address: number): void {
    const vma = this.find(address)
    if (vma === null || vma.start === address) return
    const pages = (address - vma.start) / 4096
    this.add({ ...vma, start: address, cacheIndex: vma.cacheIndex + pages })
    // The upper half was added before it is taken from the lower one, so the cache is held throughout.
    this.replace(vma, { ...vma, end: address })
  }
}
