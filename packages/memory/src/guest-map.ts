import { EFAULT, EXDEV, refused } from '@vring/layout'
import type { Access, AddressMap } from './address-map.ts'
import { checkObject, checkObjects } from './check-argument.ts'
import type { MemoryView } from './memory-view.ts'
import { SortedRegions } from './sorted-regions.ts'
import { work } from './work-meter.ts'

/** Memory slots that KVM and QEMU give a vhost device at most. Source: Linux 5.0 x86 `KVM_USER_MEM_SLOTS`. */
export const GUEST_SLOTS_MAX = 509

/** A piece of guest-physical memory and where it is in the user address space. Source: `struct vhost_memory_region`. */
export interface GuestRegion {
  readonly guestAddress: number
  /** Bytes. */
  readonly length: number
  readonly userAddress: number
}

/** A run of guest-physical memory. */
export interface GuestRange {
  readonly guestAddress: number
  /** Bytes. */
  readonly length: number
}

/**
 * Guest-physical addresses, as descriptors hold them, to user addresses and on to bytes. The region of the last hit is
 * tried first, then {@link SortedRegions}. A range that runs from one region into its neighbour is -EXDEV from
 * {@link resolve} and goes piecewise through {@link resolveSpan}; a hole is -EFAULT.
 */
export class GuestMap implements AddressMap {
  /** Where the user addresses lead. */
  readonly space: AddressMap
  span = 0
  private sorted = sortedSlots([])
  // The region of the last hit; none: infinitely far away. Values that are no 32-bit integers, so that the fields are
  // doubles from the start: a field that changes its representation later throws optimised code away.
  private hitStart = Number.POSITIVE_INFINITY
  private hitLength = -(2 ** 40)
  private hitTarget = 2 ** 52

  /**
   * @throws VringError as {@link replaceRegions}
   */
  constructor(space: AddressMap, regions: readonly GuestRegion[]) {
    this.space = space
    this.replaceRegions(regions)
  }

  get view(): MemoryView {
    return this.space.view
  }

  /** The regions, by guest address. Another list when they changed. */
  get regions(): readonly GuestRegion[] {
    return this.sorted.list
  }

  resolve(address: number, length: number, access: Access): number {
    const d = address - this.hitStart
    if (d >= 0 && length <= this.hitLength - d) return this.space.resolve(this.hitTarget + d, length, access)
    return this.search(address, length, access) | 0
  }

  resolveSpan(address: number, length: number, access: Access): number {
    if (!(length >= 0) || !this.seek(address)) return EFAULT
    const d = address - this.hitStart
    const { space } = this
    const at = space.resolveSpan(this.hitTarget + d, Math.min(length, this.hitLength - d), access)
    this.span = space.span
    return at
  }

  /**
   * Replaces all regions. Nothing changes when they are refused.
   *
   * @throws VringError ERR_OUT_OF_RANGE for too many, empty or wrapping regions, ERR_OVERLAP for overlapping ones,
   * ERR_INVALID_ARGUMENT for what is no list of regions
   */
  replaceRegions(regions: readonly GuestRegion[]): void {
    checkObjects('regions', regions)
    checkCount(regions.length)
    for (const region of regions) checkRegion(region)
    const sorted = regions.map((region) => ({ ...region })).sort((a, b) => a.guestAddress - b.guestAddress)
    for (let i = 1; i < sorted.length; i++) checkAfter(sorted[i - 1], sorted[i])
    this.sorted = sortedSlots(sorted)
    this.hitStart = Number.POSITIVE_INFINITY
  }

  /**
   * Adds a region. Of the others only its neighbours are looked at. Nothing changes when it is refused.
   *
   * @throws VringError as {@link replaceRegions}
   */
  addRegion(region: GuestRegion): void {
    checkObject('region', region, '{ guestAddress, length, userAddress }')
    const { list } = this.sorted
    checkCount(list.length + 1)
    checkRegion(region)
    const at = this.sorted.find(region.guestAddress) + 1
    if (at > 0) checkAfter(list[at - 1], region)
    if (at < list.length) checkAfter(region, list[at])
    this.splice(at, 0, { ...region })
  }

  /**
   * Removes the region that begins there; no other one is looked at.
   *
   * @throws VringError ERR_OUT_OF_RANGE when none does
   */
  removeRegion(guestAddress: number): void {
    const at = Number.isSafeInteger(guestAddress) ? this.sorted.find(guestAddress) : -1
    if (at < 0 || this.regions[at].guestAddress !== guestAddress)
      throw refused('ERR_OUT_OF_RANGE', 'guestAddress', guestAddress, 'the first address of a region')
    this.splice(at, 1)
  }

  /**
   * Every guest-physical range that shows the user range. They are what a log by user address has to note, as the same
   * memory may be in several slots. Control plane. Source: Linux `log_write_hva`.
   */
  guestRanges(userAddress: number, length: number): GuestRange[] {
    const found: GuestRange[] = []
    for (const region of this.regions) {
      const start = Math.max(userAddress, region.userAddress)
      const end = Math.min(userAddress + length, region.userAddress + region.length)
      if (start < end)
        found.push({ guestAddress: region.guestAddress + (start - region.userAddress), length: end - start })
    }
    return found
  }

  private splice(at: number, removed: number, ...added: readonly GuestRegion[]): void {
    this.sorted.splice(at, removed, added)
    this.hitStart = Number.POSITIVE_INFINITY
  }

  /** Makes the region that holds `address` the hit; false when none does. */
  private seek(address: number): boolean {
    const d = address - this.hitStart
    if (d >= 0 && d < this.hitLength) return true
    work.charge(1)
    const found = this.sorted.find(address)
    if (found < 0) return false
    const region = this.sorted.list[found]
    if (address - region.guestAddress >= region.length) return false
    this.hitStart = region.guestAddress
    this.hitLength = region.length
    this.hitTarget = region.userAddress
    return true
  }

  private search(address: number, length: number, access: Access): number {
    if (!(length >= 0) || !this.seek(address)) return EFAULT
    const d = address - this.hitStart
    const inRegion = this.hitLength - d
    if (length <= inRegion) return this.space.resolve(this.hitTarget + d, length, access)
    return this.seek(address + inRegion) ? EXDEV : EFAULT
  }
}

const sortedSlots = (slots: readonly GuestRegion[]): SortedRegions<GuestRegion> =>
  new SortedRegions(slots, ({ guestAddress }) => guestAddress)

/** @throws VringError ERR_OUT_OF_RANGE */
function checkCount(count: number): void {
  if (count > GUEST_SLOTS_MAX) throw refused('ERR_OUT_OF_RANGE', 'regions', count, `at most ${GUEST_SLOTS_MAX}`)
}

/** @throws VringError ERR_OUT_OF_RANGE */
function checkRegion({ guestAddress, userAddress, length }: GuestRegion): void {
  checkRange('guestAddress', guestAddress, length)
  checkRange('userAddress', userAddress, length)
}

/** @throws VringError ERR_OVERLAP unless `region` begins after all of `before` */
function checkAfter(before: GuestRegion, region: GuestRegion): void {
  const end = before.guestAddress + before.length
  if (region.guestAddress < end)
    throw refused('ERR_OVERLAP', 'guestAddress', region.guestAddress, `at or above 0x${end.toString(16)}`)
}

/** @throws VringError ERR_OUT_OF_RANGE unless [address, address + length) is a range of at least one byte below 2^53 */
function checkRange(field: string, address: number, length: number): void {
  if (!(Number.isSafeInteger(address) && address >= 0)) throw refused('ERR_OUT_OF_RANGE', field, address, '0 .. 2^53-1')
  if (!(Number.isSafeInteger(length) && length > 0 && length <= Number.MAX_SAFE_INTEGER - address))
    throw refused('ERR_OUT_OF_RANGE', 'length', length, `1 .. 2^53-1-${field}`)
}
