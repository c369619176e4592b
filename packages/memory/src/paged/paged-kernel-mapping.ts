import { refused } from '@vring/layout'
import { Cell } from '@vring/mmu-notifier'
import { checkObject, isRange } from '../check-argument.ts'
import type { MemoryView } from '../memory-view.ts'
import { PAGE_BYTES } from '../page-size.ts'
import type { KernelMapping, MapRefusal, MapRequest } from '../user-space.ts'
import { getUserPagesFast } from './get-user-pages.ts'
import type { Mm } from './mm.ts'
import { frameOf, PTE_PRESENT, PTE_WRITE } from './page-table.ts'

/**
 * A direct mapping of user pages into the kernel: frames remembered, nothing held. It is right as long as the page
 * table says the same. Using it afterwards is memory corruption in a kernel, and a `stale-mapping` violation here.
 */
export class PagedKernelMapping implements KernelMapping {
  readonly view: MemoryView
  readonly request: MapRequest
  readonly #mm: Mm
  readonly #frames: Int32Array
  readonly #base: number
  /** Made, and not given back. */
  readonly live: Cell<boolean> = new Cell('mapping.live', false)

  constructor(mm: Mm, request: MapRequest, frames: Int32Array) {
    this.#mm = mm
    this.request = request
    this.#frames = frames
    this.view = mm.physical.view
    this.#base = isContiguous(frames) ? frames[0] * PAGE_BYTES + (request.address % PAGE_BYTES) : -1
  }

  /** Begins the mapping's life. */
  hold(): this {
    this.#mm.physical.port.store(this.live, true)
    this.#mm.kernelMappings.add(this)
    return this
  }

  get base(): number {
    this.#check('base')
    return this.#base
  }

  offsetOf(offset: number): number {
    this.#check('offsetOf')
    const inFirst = (this.request.address % PAGE_BYTES) + offset
    return this.#frames[Math.floor(inFirst / PAGE_BYTES)] * PAGE_BYTES + (inFirst % PAGE_BYTES)
  }

  markDirty(): void {
    this.#check('markDirty')
    if (!this.request.write) return
    const { physical } = this.#mm
    for (const frame of this.#frames) if (!physical.isFree(frame)) physical.setDirty(frame)
  }

  release(): void {
    this.#mm.physical.port.store(this.live, false)
    this.#mm.kernelMappings.delete(this)
  }

  /** Does a page of the range translate to another frame by now, or to none, or (for a writer) not to be written? */
  get isStale(): boolean {
    return this.#firstStale() >= 0
  }

  /** Index of the first page that changed, or -1. */
  #firstStale(): number {
    const first = Math.floor(this.request.address / PAGE_BYTES)
    const needed = this.request.write ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT
    // Without a closure: an accessor may ask for the base with each access, and accesses allocate nothing.
    for (let i = 0; i < this.#frames.length; i++) {
      const entry = this.#mm.table.entry(first + i)
      if ((entry & needed) !== needed || frameOf(entry) !== this.#frames[i]) return i
    }
    return -1
  }

  #check(use: string): void {
    const released = !this.#mm.physical.port.load(this.live)
    const stale = this.#firstStale()
    if (stale < 0 && !released) return
    const page = Math.floor(this.request.address / PAGE_BYTES) + Math.max(stale, 0)
    const reason = released ? 'after release' : `after frame ${this.#frames[stale]} was unmapped`
    this.#mm.violations.add('stale-mapping', page * PAGE_BYTES, `${use} ${reason}`)
  }
}

/**
 * Maps a range for the kernel, or says why not; the rules of the patch's versions.
 *
 * - any: a data cache that does not alias, else `aliasing-cache`. A second mapping would see other bytes (the merged
 *   version asked for VHOST_ARCH_CAN_ACCEL_UACCESS at build time). All pages present (and writable for a writer), else
 *   `page-absent`. Outside of every mapping `unmapped`
 * - vmap (V4): no page of a file, `file-backed`: writes past the page table would be lost; shared memory is fine
 * - linear (merged): one run of frames in the linear map, else `not-contiguous` or `highmem`. The merged version took
 *   files too, and lost writes; here they are refused for both.
 */
export function mapKernel(mm: Mm, request: MapRequest): KernelMapping | MapRefusal {
  checkObject('request', request, '{ address, length, write, mapping }')
  const { address, length, write, mapping } = request
  if (mapping !== 'vmap' && mapping !== 'linear')
    throw refused('ERR_INVALID_ARGUMENT', 'mapping', mapping, "'vmap' or 'linear'")
  if (!isRange(address, length, mm.limit)) return 'unmapped'
  if (!mm.vmas.covers(address, address + length)) return 'unmapped'
  if (mm.physical.aliasingCaches) return 'aliasing-cache'
  const fileBacked = mm.vmas.overlapping(address, address + length).some((vma) => vma.kind === 'file')
  if (fileBacked && request.files !== 'map') return 'file-backed'
  const found = getUserPagesFast(mm, address, length, write)
  if ('failure' in found) return 'page-absent'
  if (mapping === 'linear') {
    if (found.frames.some((frame) => mm.physical.isHighmem(frame))) return 'highmem'
    if (!isContiguous(found.frames)) return 'not-contiguous'
  }
  const { frames } = found
  const key = `mapping of ${address}-${address + length}, frames ${frames.join()}`
  return mm.physical.port.object(key, () => new PagedKernelMapping(mm, request, frames)).hold()
}

function isContiguous(frames: Int32Array): boolean {
  return frames.every((frame, i) => frame === frames[0] + i)
}
