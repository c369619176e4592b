import { refused } from '@vring/layout'
import { HUGE_PAGES, PAGE_BYTES } from '../page-size.ts'
import type { PhysicalMemory } from './physical-memory.ts'

/**
 * `file`: pages are read from and written back to {@link PageCache.disk}. `shmem`: shared memory (memfd, shared
 * anonymous), there is nothing to write back to. `hugetlb`: the same in pages of 2 MiB.
 */
export type PageCacheKind = 'file' | 'shmem' | 'hugetlb'

/** Bytes of a file at most: its disk is one buffer. */
const FILE_BYTES_MAX = 2 ** 31

/**
 * The pages of one file or shared memory object, for all processes that map it. Lives as long as it is held: by a VMA that
 * maps it, or by its creator until {@link close}.
 */
export class PageCache {
  readonly kind: PageCacheKind
  readonly physical: PhysicalMemory
  /** Length in 4 KiB pages. */
  readonly pages: number
  /** What is stored; empty unless a file. */
  readonly disk: Uint8Array
  /** Cached frames by page index; for hugetlb every 4 KiB page of a huge one. */
  readonly #frames = new Map<number, number>()
  readonly #index = new Map<number, number>()
  /** Swap slots of the pages of shared memory that are not in memory. */
  readonly #swapped = new Map<number, number>()
  #holders = 1
  #closed = false

  /**
   * @param bytes a positive multiple of 4 KiB (hugetlb: 2 MiB)
   * @param contents of a file, shorter than `bytes` or as long
   * @throws VringError ERR_INVALID_ARGUMENT
   */
  constructor(physical: PhysicalMemory, kind: PageCacheKind, bytes: number, contents?: Uint8Array) {
    const unit = kind === 'hugetlb' ? HUGE_PAGES * PAGE_BYTES : PAGE_BYTES
    const most = kind === 'file' ? FILE_BYTES_MAX : Number.MAX_SAFE_INTEGER
    if (!(Number.isSafeInteger(bytes) && bytes > 0 && bytes <= most && bytes % unit === 0))
      throw refused('ERR_INVALID_ARGUMENT', 'bytes', bytes, `a positive multiple of ${unit}, of a file at most 2 GiB`)
    if (contents !== undefined && (kind !== 'file' || contents.length > bytes))
      throw refused('ERR_INVALID_ARGUMENT', 'contents', contents.length, `at most ${bytes} bytes, of a file`)
    this.physical = physical
    this.kind = kind
    this.pages = bytes / PAGE_BYTES
    this.disk = new Uint8Array(kind === 'file' ? bytes : 0)
    if (contents !== undefined) this.disk.set(contents)
  }

  /** Cached pages by index. */
  get cached(): ReadonlyMap<number, number> {
    return this.#frames
  }

  /** Pages that are newer than the disk. Source: Linux `NR_FILE_DIRTY`. */
  get dirtyPages(): number {
    let dirty = 0
    for (const frame of this.#frames.values()) if (this.physical.isDirty(frame)) dirty++
    return this.kind === 'file' ? dirty : 0
  }

  /**
   * The frame of page `index`, read in where it is missing (hugetlb: the whole huge page).
   *
   * @returns a frame, -ENOMEM, or -1 for a page past the end
   */
  frame(index: number): number {
    if (!(index >= 0 && index < this.pages)) return -1
    const cached = this.#frames.get(index)
    if (cached !== undefined) return cached
    if (this.kind === 'hugetlb') {
      const head = index - (index % HUGE_PAGES)
      const first = this.physical.allocateHuge()
      if (first < 0) return first
      for (let i = 0; i < HUGE_PAGES; i++) this.#insert(head + i, first + i)
      return first + (index - head)
    }
    const frame = this.physical.allocate()
    if (frame < 0) return frame
    const slot = this.#swapped.get(index)
    if (slot !== undefined) {
      this.physical.bytes(frame).set(this.physical.swap.read(slot))
      this.physical.swap.put(slot)
      this.#swapped.delete(index)
    } else if (this.kind === 'file')
      this.physical.bytes(frame).set(this.disk.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES))
    this.#insert(index, frame)
    return frame
  }

  /** Page index of a cached frame. */
  indexOf(frame: number): number {
    return this.#index.get(frame) ?? -1
  }

  /** Puts another frame in a page's place; takes over the caller's reference and gives the old frame's back. */
  replace(index: number, frame: number): void {
    this.drop(index)
    this.#insert(index, frame)
  }

  /** Forgets a page that is not needed in memory. */
  drop(index: number): void {
    const frame = this.#frames.get(index)
    if (frame === undefined) return
    this.#frames.delete(index)
    this.#index.delete(frame)
    this.physical.setCache(frame, null)
    this.physical.put(frame)
  }

  /** Writes a page of shared memory without a mapping to swap. Source: Linux `shmem_writepage`. */
  swapOut(index: number): void {
    const { swap } = this.physical
    const frame = this.#frames.get(index)
    if (frame === undefined) return
    const slot = swap.add(frame)
    swap.write(slot, this.physical.bytes(frame))
    // The cache holds the slot as an entry of a page table would.
    swap.hold(slot)
    swap.uncache(slot)
    this.#swapped.set(index, slot)
    this.drop(index)
  }

  /** Stores a page on the disk. */
  store(index: number, frame: number): void {
    this.disk.set(this.physical.bytes(frame), index * PAGE_BYTES)
  }

  /**
   * Cached pages that are clean and yet differ from the disk. A writer did not mark them, and the write will be lost
   * when the page is dropped.
   */
  lostWrites(): number[] {
    if (this.kind !== 'file') return []
    const lost: number[] = []
    for (const [index, frame] of this.#frames) {
      if (this.physical.isDirty(frame)) continue
      const stored = this.disk.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES)
      if (this.physical.bytes(frame).some((byte, i) => byte !== stored[i])) lost.push(index)
    }
    return lost
  }

  hold(): void {
    this.#holders++
  }

  /** A holder leaves; with the last one the pages go (of a file: without being written back, as after an unlink). */
  put(): void {
    if (--this.#holders > 0) return
    for (const index of [...this.#frames.keys()]) this.drop(index)
    for (const slot of this.#swapped.values()) this.physical.swap.put(slot)
    this.#swapped.clear()
  }

  /** The creator's hold ends. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.put()
  }

  #insert(index: number, frame: number): void {
    this.#frames.set(index, frame)
    this.#index.set(frame, index)
    this.physical.setCache(frame, this)
  }
}
