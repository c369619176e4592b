import { EFAULT, refused } from '@vring/layout'
import type { MmuNotifierList, MmuNotifierListOptions } from '@vring/mmu-notifier'
import { ACCESS_READ, ACCESS_WRITE, type Access, type AddressMap } from '../address-map.ts'
import { checkObject } from '../check-argument.ts'
import { VIEW_BYTES_MAX } from '../mapped-regions.ts'
import type { MemoryView } from '../memory-view.ts'
import { PAGE_BYTES } from '../page-size.ts'
import type { KernelMapping, MapRefusal, MapRequest, UserSpace } from '../user-space.ts'
import { type GupResult, getUserPagesFast } from './get-user-pages.ts'
import { Mm } from './mm.ts'
import { collapse } from './operations/collapse.ts'
import { dontNeed } from './operations/dont-need.ts'
import { fork } from './operations/fork.ts'
import { hintNuma } from './operations/hint-numa.ts'
import { mergePages, unmerge } from './operations/ksm.ts'
import { migrate } from './operations/migrate.ts'
import { type MmapOptions, mmap } from './operations/mmap.ts'
import { mprotect, type Protection } from './operations/mprotect.ts'
import { mremap } from './operations/mremap.ts'
import { munmap } from './operations/munmap.ts'
import { oomReap } from './operations/oom-reap.ts'
import { reclaim } from './operations/reclaim.ts'
import { mapKernel, type PagedKernelMapping } from './paged-kernel-mapping.ts'
import { PhysicalMemory, type PhysicalMemoryOptions } from './physical-memory.ts'
import type { Tlb } from './tlb.ts'
import { UserModeMap } from './user-mode-map.ts'
import type { ViolationLog } from './violation.ts'
import type { Vma } from './vma.ts'

/** The Cpu's part of SMAP: may supervisor code touch user pages now? */
export interface AccessControl {
  /** EFLAGS.AC: set by stac, cleared by clac. */
  readonly ac: boolean
}

/** What a {@link PagedSpace} is made of. The options of {@link PhysicalMemory} apply when it gets none. */
export interface PagedSpaceOptions extends PhysicalMemoryOptions {
  /** Memory shared with other spaces; default: a memory of its own. */
  readonly physical?: PhysicalMemory
  /** The Cpu whose AC flag SMAP looks at, or null (default): the machine has no SMAP. */
  readonly smap?: AccessControl | null
  readonly notifiers?: MmuNotifierListOptions
}

/**
 * The model of a process's address space, with everything that pulls pages away under a device: demand faults, fork and
 * copy-on-write, migration, swap, unmapping. Every change of a translation calls the notifiers as Linux does: same order,
 * same event, same permission to wait.
 *
 * {@link resolve} is a supervisor access: SMAP applies. The process itself goes through {@link userMode}.
 */
export class PagedSpace implements UserSpace {
  readonly view: MemoryView
  readonly limit: number
  readonly notifiers: MmuNotifierList
  readonly physical: PhysicalMemory
  /** The space as its own process sees it: same pages, no SMAP. */
  readonly userMode: AddressMap
  span = 0
  private readonly mm: Mm
  private readonly tlb: Tlb
  private smap: AccessControl | null

  /**
   * @throws VringError ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT for options
   */
  constructor(options: PagedSpaceOptions = {}) {
    checkObject('options', options, '{ frames, physical, smap, ... }')
    if (options.physical !== undefined && !(options.physical instanceof PhysicalMemory))
      throw refused('ERR_INVALID_ARGUMENT', 'physical', options.physical, 'a PhysicalMemory')
    if (options.smap !== undefined && options.smap !== null)
      checkObject('smap', options.smap, 'null, or a Cpu with its AC flag')
    const physical = options.physical ?? new PhysicalMemory(options)
    const mm = physical.port.object('address space', () => new Mm(physical, options.notifiers))
    this.mm = mm
    this.tlb = mm.tlb
    this.smap = options.smap ?? null
    this.physical = mm.physical
    this.view = mm.physical.view
    this.limit = mm.limit
    this.notifiers = mm.notifiers
    this.userMode = new UserModeMap(mm)
  }

  resolve(address: number, length: number, access: Access): number {
    const smap = this.smap
    if (smap !== null && !smap.ac) return this.violateSmap(address)
    const at = this.tlb.lookup(address, length, access)
    // As an integer (here and below): V8 does not know what a call returns, and would tag what the TLB gave as well.
    return at >= 0 ? at : this.userMode.resolve(address, length, access) | 0
  }

  resolveSpan(address: number, length: number, access: Access): number {
    const smap = this.smap
    if (smap !== null && !smap.ac) return this.violateSmap(address)
    const at = this.userMode.resolveSpan(address, length, access)
    this.span = this.userMode.span
    return at
  }

  mapKernel(request: MapRequest): KernelMapping | MapRefusal {
    return mapKernel(this.mm, request)
  }

  /** The mappings, by address. */
  get vmas(): readonly Vma[] {
    return this.mm.vmas.all
  }

  /** What must not happen, and happened: SMAP, stale mappings, faults inside notifiers. */
  get violations(): ViolationLog {
    return this.mm.violations
  }

  /** Kernel mappings that are not given back although their pages changed: each is a bug in its owner. */
  staleMappings(): PagedKernelMapping[] {
    return [...this.mm.kernelMappings].filter((mapping) => mapping.isStale)
  }

  /** Kernel mappings that are not given back. */
  get kernelMappings(): ReadonlySet<PagedKernelMapping> {
    return this.mm.kernelMappings
  }

  /**
   * Frames of a range as `__get_user_pages_fast` finds them: no fault, no reference.
   *
   * @throws VringError ERR_OUT_OF_RANGE for a range that is empty, wraps, or is not below the limit
   */
  getUserPagesFast(address: number, length: number, write: boolean): GupResult {
    this.mm.checkBytes(address, length)
    return getUserPagesFast(this.mm, address, length, write)
  }

  /**
   * Maps memory.
   *
   * @returns its address
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED, ERR_OVERLAP, ERR_INVALID_ARGUMENT
   */
  mmap(options: MmapOptions): number {
    const address = this.mm.operate(() => mmap(this.mm, options))
    if (options.populate === true) this.populate(address, options.length)
    return address
  }

  /**
   * Unmaps a range; what is not mapped in it is skipped.
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED
   */
  munmap(address: number, length: number): void {
    this.mm.operate(() => munmap(this.mm, address, length))
  }

  /**
   * Changes what a mapped range permits.
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED, ERR_INVALID_ARGUMENT
   */
  mprotect(address: number, length: number, protection: Protection): void {
    this.mm.operate(() => mprotect(this.mm, address, length, protection))
  }

  /**
   * Resizes a mapping, and moves it: to `to` (free), or where there is room when it can't grow in place.
   *
   * @returns where it is now
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED, ERR_OVERLAP, ERR_INVALID_ARGUMENT
   */
  mremap(address: number, length: number, newLength: number, to?: number): number {
    return this.mm.operate(() => mremap(this.mm, address, length, newLength, to))
  }

  /**
   * Drops the pages of a mapped range, not the mappings (MADV_DONTNEED).
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED
   */
  dontNeed(address: number, length: number): void {
    this.mm.operate(() => dontNeed(this.mm, address, length))
  }

  /** Takes all private memory without waiting for a listener; false when one refused. Source: the OOM reaper. */
  oomReap(): boolean {
    return this.mm.operate(() => oomReap(this.mm))
  }

  /**
   * A child with the same memory, copy-on-write, and no listeners.
   *
   * @throws VringError ERR_NOTIFIER when a listener failed; there is no child then
   */
  fork(): PagedSpace {
    const child = new PagedSpace({
      physical: this.physical,
      smap: this.smap,
      notifiers: { endRule: this.notifiers.endRule },
    })
    try {
      this.mm.operate(() => fork(this.mm, child.mm))
    } catch (error) {
      child.close()
      throw error
    }
    return child
  }

  /**
   * Moves the pages of a mapped range to other frames; how many moved.
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED
   */
  migrate(address: number, length: number): number {
    return this.mm.operate(() => migrate(this.mm, address, length))
  }

  /**
   * Takes the pages of a mapped range out of memory: to swap, or back to their file. They come in again when they are
   * touched. How many left.
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED
   */
  reclaim(address: number, length: number): number {
    return this.mm.operate(() => reclaim(this.mm, address, length))
  }

  /**
   * Merges the anonymous page at `otherAddress` of `other` (this space or one of the same memory) into the equal one at
   * `address` (KSM). False when they can't be.
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED, ERR_INVALID_ARGUMENT
   */
  merge(address: number, other: PagedSpace, otherAddress: number): boolean {
    if (!(other instanceof PagedSpace)) throw refused('ERR_INVALID_ARGUMENT', 'other', other, 'a PagedSpace')
    this.mm.checkBytes(address, 1)
    other.mm.checkBytes(otherAddress, 1)
    return this.mm.operate(() => mergePages(this.mm, address / PAGE_BYTES, other.mm, otherAddress / PAGE_BYTES))
  }

  /**
   * Gives merged pages of a mapped range copies of their own; how many.
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED
   */
  unmerge(address: number, length: number): number {
    return this.mm.operate(() => unmerge(this.mm, address, length))
  }

  /**
   * Makes one huge page of the 2 MiB of anonymous memory at `address`; false when it can't be.
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED
   */
  collapse(address: number): boolean {
    return this.mm.operate(() => collapse(this.mm, address))
  }

  /**
   * Splits the transparent huge page that holds `address`, if there is one, into small ones of the same frames.
   *
   * @throws VringError ERR_OUT_OF_RANGE
   */
  split(address: number): void {
    this.mm.checkBytes(address, 1)
    this.mm.operate(() => {
      if (this.mm.vmas.find(address)?.kind !== 'hugetlb') this.mm.splitHuge(Math.floor(address / PAGE_BYTES))
    })
  }

  /**
   * Makes the next access to each page of a mapped range fault (NUMA balancing); how many pages.
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED
   */
  hintNuma(address: number, length: number): number {
    return this.mm.operate(() => hintNuma(this.mm, address, length))
  }

  /**
   * Faults every page of a mapped range in, for writing where that is allowed (MAP_POPULATE).
   *
   * @throws VringError ERR_OUT_OF_RANGE when a page can't be had, ERR_MISALIGNED
   */
  populate(address: number, length: number): void {
    this.mm.checkRange(address, length)
    for (let at = address; at < address + length; at += PAGE_BYTES) {
      const write = this.mm.vmas.find(at)?.write === true
      if (this.userMode.resolve(at, 1, write ? ACCESS_WRITE : ACCESS_READ) < 0)
        throw refused('ERR_OUT_OF_RANGE', 'address', at, 'a mapped page, and a free frame for it')
    }
  }

  /**
   * Reads memory as the process itself does.
   *
   * @param length bytes, at most 2 GiB
   * @throws VringError ERR_OUT_OF_RANGE for a range the process may not read
   */
  read(address: number, length: number): Uint8Array {
    if (!(Number.isSafeInteger(length) && length >= 0 && length <= VIEW_BYTES_MAX))
      throw refused('ERR_OUT_OF_RANGE', 'length', length, `0 .. ${VIEW_BYTES_MAX}`)
    const bytes = new Uint8Array(length)
    this.copy(address, length, ACCESS_READ, (at, done, span) => bytes.set(this.view.u8.subarray(at, at + span), done))
    return bytes
  }

  /**
   * Writes memory as the process itself does.
   *
   * @throws VringError ERR_OUT_OF_RANGE for a range the process may not write, ERR_INVALID_ARGUMENT
   */
  write(address: number, bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) throw refused('ERR_INVALID_ARGUMENT', 'bytes', bytes, 'a Uint8Array')
    this.copy(address, bytes.length, ACCESS_WRITE, (at, done, span) =>
      this.view.u8.set(bytes.subarray(done, done + span), at),
    )
  }

  /** The process exits. Listeners are released, then all memory goes. A second call does nothing. */
  close(): void {
    this.mm.close()
  }

  private copy(
    address: number,
    length: number,
    access: Access,
    piece: (at: number, done: number, span: number) => void,
  ): void {
    if (!Number.isSafeInteger(address))
      throw refused('ERR_OUT_OF_RANGE', 'address', address, `0 .. 0x${(this.limit - 1).toString(16)}`)
    for (let done = 0; done < length; ) {
      const at = this.userMode.resolveSpan(address + done, length - done, access)
      if (at < 0)
        throw refused(
          'ERR_OUT_OF_RANGE',
          'address',
          address + done,
          access === ACCESS_WRITE ? 'memory that the process may write' : 'memory that the process may read',
        )
      piece(at, done, this.userMode.span)
      done += this.userMode.span
    }
  }

  private violateSmap(address: number): number {
    this.mm.violations.add('smap', address, 'supervisor access to a user address with AC clear')
    return EFAULT
  }
}
