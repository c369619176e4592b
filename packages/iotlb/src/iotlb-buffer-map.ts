import { EAGAIN, EFAULT, EXDEV } from '@vring/layout'
import { type Access, type AddressMap, type MemoryView, work } from '@vring/memory'
import type { Iotlb, IotlbEntry } from './iotlb.ts'

/**
 * IOVAs, as descriptors hold them when VIRTIO_F_ACCESS_PLATFORM was negotiated, to user addresses and on to bytes.
 * Permission comes with the entry; the entry of the last hit is tried first, as long as the IOTLB did not change.
 *
 * Beside the results of an {@link AddressMap} there is -EAGAIN: the translation is missing and was asked for. Stop the
 * round, the IOTLB tells when to resume. Source: Linux `translate_desc`.
 */
export class IotlbBufferMap implements AddressMap {
  readonly iotlb: Iotlb
  /** Where the user addresses lead. */
  readonly space: AddressMap
  span = 0
  // The entry of the last hit; none: infinitely far away. Doubles from the start: a field that changes its
  // representation later throws optimised code away.
  private hitStart = Number.POSITIVE_INFINITY
  private hitLength = -(2 ** 40)
  private hitTarget = 2 ** 52
  private hitPerm = 0
  private generation = -1

  constructor(iotlb: Iotlb, space: AddressMap) {
    this.iotlb = iotlb
    this.space = space
  }

  get view(): MemoryView {
    return this.space.view
  }

  resolve(address: number, length: number, access: Access): number {
    const d = address - this.hitStart
    if (
      d >= 0 &&
      length <= this.hitLength - d &&
      (this.hitPerm & access) !== 0 &&
      this.generation === this.iotlb.generation
    )
      return this.space.resolve(this.hitTarget + d, length, access)
    return this.search(address, length, access)
  }

  resolveSpan(address: number, length: number, access: Access): number {
    if (!(length >= 0)) return EFAULT
    const status = this.seek(address, access)
    if (status < 0) return status
    const d = address - this.hitStart
    const { space } = this
    const at = space.resolveSpan(this.hitTarget + d, Math.min(length, this.hitLength - d), access)
    this.span = space.span
    return at
  }

  private search(address: number, length: number, access: Access): number {
    if (!(length >= 0)) return EFAULT
    const status = this.seek(address, access)
    if (status < 0) return status
    const d = address - this.hitStart
    const inEntry = this.hitLength - d
    if (length <= inEntry) return this.space.resolve(this.hitTarget + d, length, access)
    // It runs on: a caller that goes piecewise will need what follows, so a missing translation is asked for now. The
    // hit stays: that caller begins with it.
    const next = this.translation(address + inEntry, access)
    return typeof next === 'number' ? next : EXDEV
  }

  /** Makes the entry that translates `address` for `access` the hit. @returns 0, -EAGAIN (asked for), -EFAULT */
  private seek(address: number, access: Access): number {
    const d = address - this.hitStart
    if (d >= 0 && d < this.hitLength && (this.hitPerm & access) !== 0 && this.generation === this.iotlb.generation)
      return 0
    const entry = this.translation(address, access)
    if (typeof entry === 'number') return entry
    this.generation = this.iotlb.generation
    this.hitStart = entry.iova
    this.hitLength = entry.last - entry.iova + 1
    this.hitTarget = entry.uaddr
    this.hitPerm = entry.perm
    return 0
  }

  /** @returns the entry that translates `address` for `access`, or -EAGAIN (asked for), -EFAULT */
  private translation(address: number, access: Access): IotlbEntry | number {
    if (!(address >= 0 && address <= Number.MAX_SAFE_INTEGER)) return EFAULT
    work.charge(1)
    const entry = this.iotlb.lookup(address)
    if (entry === null) {
      this.iotlb.miss(address, access)
      return EAGAIN
    }
    return (entry.perm & access) === 0 ? EFAULT : entry
  }
}
