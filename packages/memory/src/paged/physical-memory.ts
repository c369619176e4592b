import { ENOMEM, refused } from '@vring/layout'
import {
  Lock,
  MmuNotifierList,
  type MmuNotifierListOptions,
  type SyncPort,
  uncountedSyncPort,
} from '@vring/mmu-notifier'
import { checkObject } from '../check-argument.ts'
import { type MemoryView, memoryView } from '../memory-view.ts'
import { HUGE_PAGES, PAGE_BYTES } from '../page-size.ts'
import { type AllocationPolicy, FrameAllocator } from './frame-allocator.ts'
import type { Mm } from './mm.ts'
import type { PageCache } from './page-cache.ts'
import { PageTable } from './page-table.ts'
import { SwapDevice } from './swap-device.ts'
import { Tlb } from './tlb.ts'
import { ViolationLog } from './violation.ts'
import { VmaSet } from './vma.ts'

/** Frame numbers fit into a page-table entry, and byte offsets into 31 bits. */
export const FRAMES_MAX: number = 2 ** 31 / PAGE_BYTES

/** What freed frames are filled with, so that a stale read shows. Source: Linux `PAGE_POISON`. */
export const PAGE_POISON = 0xaa

const POISON_WORD = 0xaaaaaaaa

/** What a {@link PhysicalMemory} is made of. */
export interface PhysicalMemoryOptions {
  /** 4 KiB frames; default 16384 (64 MiB). The backing buffer is allocated as a whole, and touched as it is used. */
  readonly frames?: number
  /** Default `contiguous`. */
  readonly allocator?: AllocationPolicy
  /** How many of the frames are highmem; default 0. */
  readonly highmemFrames?: number
  /**
   * The data cache is tagged by virtual address, so a page that is mapped twice may be cached twice; default false.
   * Source: Linux `ARCH_IMPLEMENTS_FLUSH_DCACHE_PAGE`.
   */
  readonly aliasingCaches?: boolean
  /** Through which spaces share what they change; default: one thread. See {@link PhysicalMemory.pageTableLock}. */
  readonly port?: SyncPort
}

/** What an address space is kept in. */
export interface SpaceParts {
  readonly table: PageTable
  readonly tlb: Tlb
  readonly vmas: VmaSet
  readonly violations: ViolationLog
  readonly notifiers: MmuNotifierList
}

/** A frame that was written after it was freed: by a stale mapping. */
export interface FrameCorruption {
  readonly frame: number
  /** Byte offset in the frame of the first damaged word. */
  readonly offset: number
}

/**
 * The machine's memory: frames in one buffer, reference counts, and who maps what. Address spaces that fork, share or
 * merge pages share one of these.
 *
 * References of a frame are its mappings, one for each page-table entry that holds it. One is of the page cache, and
 * one of the swap cache. Others are those of an operation that is on its way. A frame without references is free, and
 * poisoned.
 */
export class PhysicalMemory {
  readonly view: MemoryView
  readonly frames: number
  /** See {@link PhysicalMemoryOptions.aliasingCaches}. */
  readonly aliasingCaches: boolean
  readonly swap: SwapDevice = new SwapDevice()
  /** See {@link PhysicalMemoryOptions.port}. */
  readonly port: SyncPort
  /**
   * Held wherever mappings, page tables or frames change, and given up around callbacks of listeners: between two of
   * those nothing else changes. One for all spaces, where Linux has one for each page table.
   */
  readonly pageTableLock: Lock = new Lock('page table lock')
  readonly #allocator: FrameAllocator
  readonly #references: Int32Array
  readonly #dirty: Uint8Array
  readonly #merged = new Set<number>()
  /** Page-table entries that hold a frame, each as the space's id and the page number in one number. */
  readonly #mappings = new Map<number, number[]>()
  readonly #cached = new Map<number, PageCache>()
  readonly #spaces = new Map<number, Mm>()
  #nextSpace = 1
  /** Frames found damaged when they were allocated again. */
  readonly corruptions: FrameCorruption[] = []

  /**
   * @throws VringError ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT
   */
  constructor(options: PhysicalMemoryOptions = {}) {
    checkObject('options', options, 'an object')
    const frames = options.frames ?? 16384
    const highmem = options.highmemFrames ?? 0
    if (!(Number.isInteger(frames) && frames > 0 && frames <= FRAMES_MAX))
      throw refused('ERR_OUT_OF_RANGE', 'frames', frames, `1 .. ${FRAMES_MAX}`)
    if (!(Number.isInteger(highmem) && highmem >= 0 && highmem <= frames))
      throw refused('ERR_OUT_OF_RANGE', 'highmemFrames', highmem, `0 .. ${frames}`)
    this.port = options.port ?? uncountedSyncPort
    this.frames = frames
    this.aliasingCaches = options.aliasingCaches ?? false
    this.view = memoryView(new ArrayBuffer(frames * PAGE_BYTES))
    this.#allocator = new FrameAllocator(frames, highmem, options.allocator ?? 'contiguous')
    this.#references = new Int32Array(frames)
    this.#dirty = new Uint8Array(frames)
  }

  /** Free frames. */
  get freeFrames(): number {
    return this.#allocator.free
  }

  /** Address spaces that live in this memory. */
  get spaces(): Iterable<Mm> {
    return this.#spaces.values()
  }

  /** Adds a space; its id is part of every mapping's key. */
  attach(space: Mm): number {
    const id = this.#nextSpace++
    this.#spaces.set(id, space)
    return id
  }

  /** What a new space is kept in. */
  createParts(_id: number, notifiers: MmuNotifierListOptions): SpaceParts {
    const { port } = this
    return {
      table: new PageTable(),
      tlb: new Tlb(),
      vmas: new VmaSet(port),
      violations: new ViolationLog(),
      notifiers: new MmuNotifierList({ port, ...notifiers }),
    }
  }

  detach(id: number): void {
    this.#spaces.delete(id)
  }

  /** A zeroed frame with one reference, or -ENOMEM. */
  allocate(): number {
    const frame = this.#allocator.allocate()
    if (frame >= 0) this.#begin(frame)
    return frame
  }

  /** The first of 512 zeroed, aligned, neighbouring frames with one reference each, or -ENOMEM. */
  allocateHuge(): number {
    const first = this.#allocator.allocateHuge()
    if (first === ENOMEM) return ENOMEM
    for (let frame = first; frame < first + HUGE_PAGES; frame++) this.#begin(frame)
    return first
  }

  references(frame: number): number {
    return this.#references[frame]
  }

  hold(frame: number): void {
    this.#references[frame]++
  }

  /** Gives a reference back; the last one frees the frame. */
  put(frame: number): void {
    if (--this.#references[frame] > 0) return
    this.#dirty[frame] = 0
    this.#merged.delete(frame)
    this.#words(frame).fill(POISON_WORD)
    this.#allocator.release(frame)
  }

  isFree(frame: number): boolean {
    return !this.#allocator.isUsed(frame)
  }

  /** Outside the kernel's linear map. */
  isHighmem(frame: number): boolean {
    return frame >= this.#allocator.highmemStart
  }

  /** Source: Linux `PageDirty`. */
  isDirty(frame: number): boolean {
    return this.#dirty[frame] !== 0
  }

  /** Source: Linux `set_page_dirty`. */
  setDirty(frame: number): void {
    this.#dirty[frame] = 1
  }

  clearDirty(frame: number): void {
    this.#dirty[frame] = 0
  }

  /** Merged by KSM: never written, whatever its reference count says. */
  isMerged(frame: number): boolean {
    return this.#merged.has(frame)
  }

  setMerged(frame: number): void {
    this.#merged.add(frame)
  }

  /** The page cache that holds the frame, or null for an anonymous one. */
  cacheOf(frame: number): PageCache | null {
    return this.#cached.get(frame) ?? null
  }

  setCache(frame: number, cache: PageCache | null): void {
    if (cache === null) this.#cached.delete(frame)
    else this.#cached.set(frame, cache)
  }

  copyFrame(to: number, from: number): void {
    this.#words(to).set(this.#words(from))
  }

  /** The bytes of a frame. */
  bytes(frame: number): Uint8Array {
    return this.view.u8.subarray(frame * PAGE_BYTES, (frame + 1) * PAGE_BYTES)
  }

  /** Equal contents? */
  sameContents(a: number, b: number): boolean {
    const words = this.#words(a)
    const others = this.#words(b)
    return words.every((word, i) => word === others[i])
  }

  /** Adds a page-table entry to the reverse map. */
  addMapping(frame: number, key: number): void {
    const keys = this.#mappings.get(frame)
    if (keys === undefined) this.#mappings.set(frame, [key])
    else keys.push(key)
  }

  removeMapping(frame: number, key: number): void {
    const keys = this.#mappings.get(frame)
    const at = keys?.indexOf(key) ?? -1
    if (keys === undefined || at < 0) throw new RangeError(`frame ${frame} has no mapping ${key}`)
    if (keys.length === 1) this.#mappings.delete(frame)
    else keys.splice(at, 1)
  }

  /** Keys of the entries that hold the frame; a copy, as operations change them while they walk. */
  mappingsOf(frame: number): number[] {
    return [...(this.#mappings.get(frame) ?? [])]
  }

  mapCount(frame: number): number {
    return this.#mappings.get(frame)?.length ?? 0
  }

  space(id: number): Mm {
    return this.#spaces.get(id)!
  }

  #words(frame: number): Uint32Array {
    const words = PAGE_BYTES / 4
    return this.view.u32.subarray(frame * words, (frame + 1) * words)
  }

  /** First reference: checks the poison of an earlier life, then zeroes. */
  #begin(frame: number): void {
    const words = this.#words(frame)
    // A frame that was never used is zero as a whole; one that was freed is poison as a whole.
    const expected = words[0] === 0 && words.at(-1) === 0 ? 0 : POISON_WORD
    const damaged = words.findIndex((word) => word !== expected)
    if (damaged >= 0) this.corruptions.push({ frame, offset: 4 * damaged })
    words.fill(0)
    this.#references[frame] = 1
    this.#dirty[frame] = 0
  }
}
