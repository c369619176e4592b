import {
  type Access,
  type KernelMapping,
  type MapRefusal,
  type MapRequest,
  type MemoryView,
  memoryView,
  PAGE_BYTES,
} from '@vring/memory'
import type { MmuNotifierEvent, MmuNotifierRange } from '@vring/mmu-notifier'
import { type ExploredSpace, type Touch, USER_BASE, userAddress, userOffset } from './explored-space.ts'
import type { ExploredWorld } from './explored-world.ts'
import type { Machine } from './machine.ts'
import { FREE, ModelFrames } from './model-frames.ts'
import { type MappingOwner, ModelMapping } from './model-mapping.ts'
import { type ModelNotifierOptions, ModelNotifiers } from './model-notifiers.ts'

/** A page's translation: a frame, or one of these. */
const ABSENT = -1
const MOVING = -2

export interface ModelSpaceOptions extends ModelNotifierOptions {
  /** Numbers of the pages that there are, each with a frame to begin with. */
  readonly pages: readonly number[]
  /** Pages that have none at the beginning. */
  readonly absent?: readonly number[]
  /** Pages that belong to another process: direct access to them is a finding. */
  readonly foreign?: readonly number[]
  /** Pages of a file. They are refused unless `mapFiles`, as the merged version had it. */
  readonly files?: readonly number[]
  readonly mapFiles?: boolean
  /** Changes call no notifier: what a memory management that forgot its notifiers would do. */
  readonly silent?: boolean
  /** What a page fault does before it has a frame: reclaim some memory. Thread code. */
  readonly onFault?: (space: ModelSpace) => void
}

/**
 * A small address space for the explorer: pages, frames, what is dirty and what was written past the page table.
 * Small because its whole state is compared at every step; `PagedSpace` is the complete model.
 *
 * It watches what hardware would let pass. That is direct access to a frame that is no longer the page's
 * (`stale-mapping`), memory reclaimed as clean though it was written (`lost-dirty`), mappings never given back.
 */
export class ModelSpace implements ExploredSpace, MappingOwner {
  readonly view: MemoryView = memoryView(new ArrayBuffer(4))
  readonly span = 0
  readonly limit: number = 2 ** 39
  readonly notifiers: ModelNotifiers
  readonly #world: ExploredWorld
  readonly #options: ModelSpaceOptions
  readonly #pte = new Map<number, number>()
  readonly #frames: ModelFrames
  readonly #mappings = new Map<string, ModelMapping>()
  readonly #iovas: number

  constructor(world: ExploredWorld, options: ModelSpaceOptions) {
    this.#world = world
    this.#options = options
    this.notifiers = new ModelNotifiers(world, options)
    const { machine } = world
    const isAbsent = (page: number): boolean => options.absent?.includes(page) === true
    options.pages.forEach((page, frame) => {
      this.#pte.set(page, machine.location(`pte ${page}`, isAbsent(page) ? ABSENT : frame))
    })
    // One more frame than pages for each of two changes that may run at once.
    const owners = options.pages.map((page) => (isAbsent(page) ? FREE : page))
    this.#frames = new ModelFrames(machine, [...owners, FREE, FREE])
    this.#iovas = machine.location('iotlb', false)
  }

  /** User addresses are resolved when the access happens, as one step with it. */
  resolve(address: number, _length: number, _access: Access): number {
    return userOffset(address)
  }

  resolveSpan(address: number): number {
    return userOffset(address)
  }

  mapKernel(request: MapRequest): KernelMapping | MapRefusal {
    const { address, length, write } = request
    return this.#world.atomic<KernelMapping | MapRefusal>(`map ${address.toString(16)}`, (machine) => {
      const pages = pagesOf(address, length)
      if (pages.some((page) => !this.#pte.has(page))) return 'unmapped'
      if (this.#options.mapFiles !== true && pages.some((page) => this.#options.files?.includes(page)))
        return 'file-backed'
      const frames = pages.map((page) => machine.get<number>(this.#pte.get(page)!))
      if (frames.some((frame) => frame < 0)) return 'page-absent'
      if (write) for (const frame of frames) this.#frames.setBuffers(frame, true)
      return this.#mapping(machine, address, frames)
    })
  }

  // What pages go through. Thread code: each call of `atomic` is a step. A range is one open invalidation, so it is made
  // outside of the threads, one for each; its first page is the one that changes.

  /** Moves a page to another frame (migration, compaction, NUMA balancing). */
  migrate(range: MmuNotifierRange): boolean {
    const page = firstPage(range)
    return this.#invalidate(range, () => {
      const from = this.#unmap(page, MOVING)
      this.#world.atomic(`copy page ${page}, free frame`, (machine) => {
        const to = this.#frames.allocate(page)
        this.#frames.copy(from, to)
        machine.set(this.#pte.get(page)!, to)
        this.#frames.free(from)
      })
    })
  }

  /** Pulls a page out of memory: written back if it is dirty, dropped if it is not. */
  reclaim(range: MmuNotifierRange): boolean {
    const page = firstPage(range)
    return this.#invalidate(range, () => {
      const frame = this.#unmap(page, ABSENT)
      this.#world.atomic(`reclaim frame of page ${page}`, (machine) => {
        if (this.#frames.isLost(frame))
          machine.report('lost-dirty', `page ${page} was written through a mapping and is reclaimed as clean`)
        const { words } = this.#frames
        for (const offset of words.offsets)
          machine.set(swapWord(machine, page, offset), machine.get(words.in(machine, frame, offset)))
        this.#frames.setClean(frame)
        this.#frames.free(frame)
      })
    })
  }

  /** The guest writes to a page that is shared since a fork (or by KSM): it gets a copy, the old frame stays a child's. */
  breakCow(range: MmuNotifierRange): boolean {
    const page = firstPage(range)
    return this.#invalidate(range, () => {
      this.#world.atomic(
        `copy shared page ${page}`,
        (machine) => {
          const from = machine.get<number>(this.#pte.get(page)!)
          const to = this.#frames.allocate(page)
          this.#frames.copy(from, to)
          machine.set(this.#pte.get(page)!, to)
        },
        (machine) => this.#isFlushed(machine, page),
      )
    })
  }

  /** An invalidation that changes nothing of the ring's pages. */
  invalidate(range: MmuNotifierRange): boolean {
    return this.#invalidate(range, () => this.#world.atomic('unrelated pages change', () => {}))
  }

  /** Writes a dirty page to its file or swap; it is clean then. */
  writeBack(page: number): void {
    this.#world.atomic(`write page ${page} back`, (machine) => {
      const frame = machine.get<number>(this.#pte.get(page)!)
      if (frame >= 0 && this.#frames.isDirty(frame)) this.#frames.setClean(frame)
    })
  }

  /** A filesystem drops the buffers of a page that is clean as far as it can see. */
  dropBuffers(page: number): void {
    this.#world.atomic(`drop buffers of page ${page}`, (machine) => {
      const frame = machine.get<number>(this.#pte.get(page)!)
      if (frame >= 0 && !this.#frames.isDirty(frame)) this.#frames.setBuffers(frame, false)
    })
  }

  /** The page fault of a user access. */
  fault(page: number): void {
    this.#options.onFault?.(this)
    this.#world.atomic(
      `fault page ${page} in`,
      (machine) => {
        if (machine.get<number>(this.#pte.get(page)!) !== ABSENT) return
        const frame = this.#frames.allocate(page)
        const { words } = this.#frames
        for (const offset of words.offsets)
          machine.set(words.in(machine, frame, offset), machine.get(swapWord(machine, page, offset)))
        machine.set(this.#pte.get(page)!, frame)
      },
      (machine) => machine.get<number>(this.#pte.get(page)!) !== MOVING,
    )
  }

  pageFault(offset: number): boolean {
    this.fault(this.#pageAt(offset))
    return true
  }

  /** Every page is there again. */
  faultAll(): void {
    for (const page of this.#pte.keys()) this.fault(page)
  }

  /** A device IOTLB is turned on: ring addresses are IOVAs from now on, and user addresses no longer. */
  enableIotlb(): void {
    this.#world.atomic('iotlb on', (machine) => machine.set(this.#iovas, true))
  }

  // One access: called from its step.

  /** Location of the word at an offset, or -1 when a user page is not there. */
  locate(machine: Machine, offset: number): number {
    const inPage = offset % PAGE_BYTES
    const { words } = this.#frames
    if (offset < USER_BASE) return words.at(machine, offset)
    const frame = machine.get<number>(this.#pteOf(offset))
    return frame < 0 ? -1 : words.in(machine, frame, inPage)
  }

  /** Checks a direct access at the moment it happens. */
  check(machine: Machine, offset: number, access: Touch): void {
    if (offset >= USER_BASE) return
    const frame = Math.floor(offset / PAGE_BYTES)
    const page = this.#frames.ownerOf(frame)
    if (page === FREE) machine.report('stale-mapping', `${access} of frame ${frame}, which is free`)
    else if (machine.get<number>(this.#pte.get(page)!) !== frame)
      machine.report('stale-mapping', `${access} of frame ${frame}, which page ${page} no longer is`)
    else if (this.#options.foreign?.includes(page) === true)
      machine.report('wrong-memory', `${access} of page ${page}, which is no ring's`)
    else if (machine.get<boolean>(this.#iovas))
      machine.report('wrong-memory', `direct ${access} though ring addresses are IOVAs`)
  }

  /** A write became visible: user writes set the page table's dirty bit, direct ones do not. */
  written(machine: Machine, offset: number): void {
    if (offset >= USER_BASE) this.#frames.setDirty(machine.get<number>(this.#pteOf(offset)))
    else this.#frames.writtenBehind(Math.floor(offset / PAGE_BYTES))
  }

  /** What must hold when everything was given back. */
  checkAllReleased(): void {
    this.#world.atomic('all released?', (machine) => {
      for (const mapping of this.#mappings.values())
        if (machine.get<boolean>(mapping.live)) machine.report('map-leak', `${mapping.name} was never released`)
      for (const frame of this.#frames.lost())
        machine.report('lost-dirty', `frame ${frame} was written through a mapping that is gone, and is clean`)
      if (machine.get<number>(this.notifiers.referencesLocation) !== 0)
        machine.report('reference-count', 'a listener is still registered')
    })
  }

  /** @internal */
  markDirty(mapping: ModelMapping): void {
    this.#world.atomic(`mark ${mapping.name} dirty`, (machine) => {
      for (const frame of mapping.frames) {
        const page = this.#frames.ownerOf(frame)
        if (page !== FREE && this.#options.files?.includes(page) && !this.#frames.hasBuffers(frame))
          machine.report(
            'lost-dirty',
            `page ${page} of a file is dirtied without its filesystem, which has no buffers of it`,
          )
        if (page !== FREE) this.#frames.setDirty(frame)
      }
    })
  }

  /** @internal */
  release(mapping: ModelMapping): void {
    this.#world.atomic(`release ${mapping.name}`, (machine) => {
      if (!machine.get<boolean>(mapping.live)) machine.report('double-release', `${mapping.name} is released twice`)
      machine.set(mapping.live, false)
    })
  }

  #invalidate(range: MmuNotifierRange, change: () => void): boolean {
    if (this.#options.silent !== true) return this.notifiers.invalidate(range, change)
    change()
    return true
  }

  /** Clears a translation and sends the interrupts that flush it: no thread has a store to the frame under way then. */
  #unmap(page: number, to: number): number {
    return this.#world.atomic(
      `unmap page ${page}`,
      (machine) => {
        const pte = this.#pte.get(page)!
        const frame = machine.get<number>(pte)
        machine.set(pte, to)
        return frame
      },
      (machine) => machine.get<number>(this.#pte.get(page)!) >= 0 && this.#isFlushed(machine, page),
    )
  }

  #isFlushed(machine: Machine, page: number): boolean {
    const frame = machine.get<number>(this.#pte.get(page)!)
    return this.#frames.words.isDrained(machine, frame)
  }

  #mapping(machine: Machine, address: number, frames: readonly number[]): ModelMapping {
    for (let serial = 0; ; serial++) {
      const key = `${address}/${frames.join()}#${serial}`
      let mapping = this.#mappings.get(key)
      if (mapping === undefined) {
        const name = `${address.toString(16)}@${frames.join('+')}${serial > 0 ? `#${serial}` : ''}`
        mapping = new ModelMapping(this, this.view, name, address % PAGE_BYTES, frames, machine.location(key, false))
        this.#mappings.set(key, mapping)
      }
      if (machine.get<boolean>(mapping.live)) continue
      machine.set(mapping.live, true)
      return mapping
    }
  }

  #pageAt(offset: number): number {
    return Math.floor(userAddress(offset) / PAGE_BYTES)
  }

  #pteOf(offset: number): number {
    const pte = this.#pte.get(this.#pageAt(offset))
    if (pte === undefined) throw new RangeError(`user address ${userAddress(offset).toString(16)} is not in the model`)
    return pte
  }
}

/** A whole page as the range of one invalidation. */
export function pageRange(page: number, event: MmuNotifierEvent, blockable = true): MmuNotifierRange {
  return { start: page * PAGE_BYTES, end: (page + 1) * PAGE_BYTES, event, blockable }
}

function firstPage({ start }: MmuNotifierRange): number {
  return Math.floor(start / PAGE_BYTES)
}

function pagesOf(address: number, length: number): number[] {
  const first = Math.floor(address / PAGE_BYTES)
  const last = Math.floor((address + length - 1) / PAGE_BYTES)
  return Array.from({ length: last - first + 1 }, (_, at) => first + at)
}

function swapWord(machine: Machine, page: number, inPage: number): number {
  return machine.location(`swap ${page}:${inPage}`, 0)
}
