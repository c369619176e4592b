import { EAGAIN, EFAULT, EXDEV, refused } from '@vring/layout'
import { MmuNotifierList, type MmuNotifierRange } from '@vring/mmu-notifier'
import type { Access } from './address-map.ts'
import { checkObject, isRange } from './check-argument.ts'
import { LazyView } from './lazy-view.ts'
import {
  type AddressRange,
  checkedRegions,
  checkRange,
  cutOf,
  endOf,
  insertRegions,
  keeps,
  type MappedRegion,
  sortedRegions,
} from './mapped-regions.ts'
import { type MemoryView, memoryView } from './memory-view.ts'
import { TASK_SIZE_MAX } from './page-size.ts'
import type { KernelMapping, MapRefusal, MapRequest, UserSpace } from './user-space.ts'
import { work } from './work-meter.ts'

/**
 * The address space of a process whose memory is mapped here (vhost-user): regions, each somewhere in a view. A view
 * holds at most 2 GiB, so a larger region comes as several neighbours in different views. A range across them is
 * accessible but -EXDEV. Neighbours that continue in the same view are one.
 *
 * Pages do not move and are not swapped as far as this process can see. So the notifiers are told only by
 * {@link replaceRegions} and {@link removeRange}.
 *
 * Views that are made when an address leads into them first take long: {@link viewsLeft} bounds how many a round makes. A
 * range in another one is -EAGAIN then, and {@link deferred} says that asking again will help.
 *
 * Assumption: the caller unmaps a replaced region's memory only after the last round that may have resolved in it.
 */
export class MappedSpace implements UserSpace {
  readonly limit: number
  readonly notifiers: MmuNotifierList
  view: MemoryView
  span = 0
  /** Views that may still be made; the code that runs rounds sets it before each. */
  viewsLeft = Number.POSITIVE_INFINITY
  /** A range was -EAGAIN for want of {@link viewsLeft}; to be cleared where that is set. */
  deferred = false
  private sorted = sortedRegions([])
  // The region of the last hit; none: infinitely far away. Doubles from the start (see GuestMap).
  private hitStart = Number.POSITIVE_INFINITY
  private hitLength = -(2 ** 40)
  private hitOffset = 2 ** 52

  /**
   * @param limit first address that is not a user address
   * @throws VringError as {@link replaceRegions}
   */
  constructor(regions: readonly MappedRegion[] = [], limit: number = TASK_SIZE_MAX) {
    if (!(Number.isSafeInteger(limit) && limit > 0)) throw refused('ERR_OUT_OF_RANGE', 'limit', limit, '1 .. 2^53-1')
    this.limit = limit
    this.notifiers = new MmuNotifierList()
    this.view = NO_MEMORY
    this.sorted = sortedRegions(checkedRegions(regions, limit))
  }

  /** What is mapped now, ascending. Another list when it changed. */
  get regions(): readonly MappedRegion[] {
    return this.sorted.list
  }

  resolve(address: number, length: number, _access: Access): number {
    const d = address - this.hitStart
    // As an integer: an offset is below 2^31, but V8 does not know it.
    if (d >= 0 && length <= this.hitLength - d) return (this.hitOffset + d) | 0
    return this.search(address, length) | 0
  }

  resolveSpan(address: number, length: number, _access: Access): number {
    if (!(length >= 0)) return EFAULT
    const status = this.seek(address)
    if (status < 0) return status
    const d = address - this.hitStart
    this.span = Math.min(length, this.hitLength - d)
    return this.hitOffset + d
  }

  /** Is all of [address, address + length) in regions? Control plane: no view is made by asking. */
  covers(address: number, length: number): boolean {
    if (!isRange(address, length, this.limit)) return false
    const { regions } = this
    for (let at = address; at < address + length; ) {
      const found = this.sorted.find(at)
      const region = regions[found]
      if (found < 0 || region === undefined || at - region.address >= region.length) return false
      at = region.address + region.length
    }
    return true
  }

  /**
   * Refusals: `unmapped`, `not-contiguous` for a range across two views, `page-absent` for one whose view is not made
   * yet and not to be made now.
   */
  mapKernel(request: MapRequest): KernelMapping | MapRefusal {
    checkObject('request', request, '{ address, length, write, mapping }')
    if (!isRange(request.address, request.length, this.limit)) return 'unmapped'
    const at = this.search(request.address, request.length)
    if (at === EXDEV) return 'not-contiguous'
    if (at === EAGAIN) return 'page-absent'
    if (at < 0) return 'unmapped'
    return new MappedKernelMapping(this.view, at)
  }

  /**
   * Replaces all regions between two rounds. Listeners are told of every address whose translation changes or goes
   * before it does. They are told of regions that stand side by side, or with a hole between them, as one range.
   * Nothing changes when the regions are refused.
   *
   * @throws VringError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_MISALIGNED or ERR_OVERLAP for the regions; ERR_NOTIFIER,
   * after the replacement, for a listener that failed
   */
  replaceRegions(regions: readonly MappedRegion[]): void {
    const next = sortedRegions(checkedRegions(regions, this.limit))
    const gone: MmuNotifierRange[] = []
    let follows = false
    for (const region of this.regions) {
      const goes = !keeps(next.list[next.find(region.address)], region)
      if (goes) gone.push(unmapRange(follows ? gone.pop()!.start : region.address, endOf(region)))
      follows = goes
    }
    this.invalidating(gone, () => {
      this.sorted = next
      this.hitStart = Number.POSITIVE_INFINITY
    })
  }

  /**
   * Adds regions where nothing is mapped, between two rounds. What is mapped already is not looked at but for the
   * neighbours of each. A table of n slots that comes slot by slot costs n times the same. Nothing changes when they
   * are refused.
   *
   * @throws VringError as {@link replaceRegions} for the regions
   */
  addRegions(regions: readonly MappedRegion[]): void {
    insertRegions(this.sorted, checkedRegions(regions, this.limit))
    this.hitStart = Number.POSITIVE_INFINITY
  }

  /**
   * Removes what is mapped in a range, between two rounds. It cuts off what is there of a region that goes beyond it,
   * as munmap(2) does. Listeners are told of one range, from the first address that was mapped to the last; no other
   * region is looked at.
   *
   * @throws VringError ERR_OUT_OF_RANGE for what is no range of user addresses; ERR_NOTIFIER, after it is done, for a
   * listener that failed
   */
  removeRange(range: AddressRange): void {
    checkObject('range', range, '{ address, length }')
    checkRange(range, this.limit)
    const cut = cutOf(this.sorted, range)
    if (cut === null) return
    this.invalidating([unmapRange(cut.start, cut.end)], () => {
      this.sorted.splice(cut.first, cut.count, cut.left)
      this.hitStart = Number.POSITIVE_INFINITY
    })
  }

  /** Tells listeners before and after; what one of them did wrong is thrown at the end. */
  private invalidating(ranges: readonly MmuNotifierRange[], change: () => void): void {
    for (const range of ranges) this.notifiers.invalidateRangeStart(range)
    change()
    for (const range of ranges) this.notifiers.invalidateRangeEnd(range)
    const fault = this.notifiers.takeFault()
    if (fault !== null) throw fault
  }

  /** Makes the region that holds `address` the hit. @returns 0, -EFAULT: none does, -EAGAIN: its view can't be made now */
  private seek(address: number): number {
    const d = address - this.hitStart
    if (d >= 0 && d < this.hitLength) return 0
    work.charge(1)
    const found = this.sorted.find(address)
    if (found < 0) return EFAULT
    const region = this.sorted.list[found]
    if (address - region.address >= region.length) return EFAULT
    const view = region.view instanceof LazyView ? (region.view.made ?? this.makeView(region.view)) : region.view
    if (view === null) return EAGAIN
    this.hitStart = region.address
    this.hitLength = region.length
    this.hitOffset = region.viewOffset
    this.view = view
    return 0
  }

  /** The view, or null when this round makes no more. */
  private makeView(view: LazyView): MemoryView | null {
    if (this.viewsLeft < 1) {
      this.deferred = true
      return null
    }
    this.viewsLeft--
    return view.make()
  }

  private search(address: number, length: number): number {
    if (!(length >= 0)) return EFAULT
    const status = this.seek(address)
    if (status < 0) return status
    const d = address - this.hitStart
    const inRegion = this.hitLength - d
    if (length <= inRegion) return this.hitOffset + d
    return this.seek(address + inRegion) === EFAULT ? EFAULT : EXDEV
  }
}

function unmapRange(start: number, end: number): MmuNotifierRange {
  return { start, end, event: 'unmap', blockable: true }
}

/** Direct access to mapped memory is what {@link MappedSpace.resolve} gives already, kept. */
class MappedKernelMapping implements KernelMapping {
  readonly view: MemoryView
  readonly base: number

  constructor(view: MemoryView, base: number) {
    this.view = view
    this.base = base
  }

  offsetOf(offset: number): number {
    return this.base + offset
  }

  /** Nothing to do: the write itself goes through this process's page tables, whose dirty bit the kernel reads. */
  markDirty(): void {}

  release(): void {}
}

const NO_MEMORY: MemoryView = memoryView(new ArrayBuffer(0))
