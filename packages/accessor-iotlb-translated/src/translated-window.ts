import type { AccessMode, Cpu, UserAccess, UserCopy, Window } from '@vring/accessor'
import type { Iotlb } from '@vring/iotlb'
import { DESC_BYTES, type RingArea, USED_ELEM_BYTES } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, type Access } from '@vring/memory'
import { type IovaTranslation, keepsWords } from './iova-translation.ts'

/**
 * An area whose address is an IOVA. When prefetch found one entry that covers the whole area, its translation is cached
 * (`meta_iotlb`) and an access is one addition more than a plain copy; no bound is checked, as the entry covers the area
 * and the ring checks its indices. Otherwise each access looks the range up.
 *
 * Source: Linux 5.0 `drivers/vhost/vhost.c`, `__vhost_get_user`, vhost_copy_from_user, vhost_copy_to_user. Its quirk is
 * kept: the lookup of a scalar asks for read permission even for a put, so only {@link prefetch} guards what is written.
 * Not kept: a scalar whose translation is missing gives -EFAULT there and -EAGAIN here, as a queue here latches a fault.
 */
export class TranslatedWindow implements Window {
  /** Accesses through the cached translation since {@link takeCounts}. */
  hits = 0
  /** Accesses that looked the range up. */
  lookups = 0
  private readonly user: UserAccess & UserCopy
  private readonly cpu: Cpu
  private readonly iotlb: Iotlb
  private readonly translation: IovaTranslation
  private readonly iova: number
  private readonly length: number
  /** What the device does with the area: the permission that prefetch asks for. */
  private readonly access: Access
  /** User address of the area's first byte; meaningful while {@link readable}. */
  private base = 0
  private readable = false
  private writable = false

  constructor(
    user: UserAccess & UserCopy,
    cpu: Cpu,
    iotlb: Iotlb,
    translation: IovaTranslation,
    area: RingArea,
    access: Access,
  ) {
    this.user = user
    this.cpu = cpu
    this.iotlb = iotlb
    this.translation = translation
    this.iova = area.address
    this.length = area.length
    this.access = access
  }

  get mode(): AccessMode {
    return this.readable ? 'translated' : 'fallback:not-cached'
  }

  /** Forgets the cached translation: any update or invalidation of the IOTLB does (Linux: vhost_vq_meta_reset). */
  forget(): void {
    this.readable = false
    this.writable = false
  }

  /**
   * Walks the area's translations and caches the first one if it covers the area. Source: Linux `iotlb_access_ok`.
   *
   * @returns false when a translation is missing (a miss was queued) or does not permit the access (no miss was queued:
   * the driver would only repeat its answer)
   */
  prefetch(): boolean {
    if (this.readable) return true
    for (let done = 0; done < this.length; ) {
      const iova = this.iova + done
      this.cpu.iotlbLookup()
      const entry = this.iotlb.lookup(iova)
      if (entry === null) {
        this.iotlb.miss(iova, this.access)
        return false
      }
      if ((entry.perm & this.access) === 0) return false
      const span = entry.last - iova + 1
      if (done === 0 && span >= this.length && keepsWords(entry.uaddr - entry.iova)) {
        this.base = entry.uaddr + (iova - entry.iova)
        this.readable = true
        this.writable = this.access === ACCESS_WRITE
      }
      done += span
    }
    return true
  }

  load16(offset: number): number {
    if (this.readable) {
      this.hits = (this.hits + 1) | 0
      return this.user.get16(this.base + offset)
    }
    const address = this.lookUp(offset, 2)
    return address < 0 ? address : this.user.get16(address)
  }

  load16Acquire(offset: number): number {
    if (this.readable) {
      this.hits = (this.hits + 1) | 0
      return this.user.get16Acquire(this.base + offset)
    }
    const address = this.lookUp(offset, 2)
    return address < 0 ? address : this.user.get16Acquire(address)
  }

  load32(offset: number): number {
    if (this.readable) {
      this.hits = (this.hits + 1) | 0
      return this.user.get32(this.base + offset)
    }
    const address = this.lookUp(offset, 4)
    return address < 0 ? address : this.user.get32(address)
  }

  loadDescriptor(offset: number, out: Uint32Array, index: number): number {
    if (this.readable) {
      this.hits = (this.hits + 1) | 0
      return this.user.copyDescriptor(this.base + offset, out, index)
    }
    return this.copySegments(offset, DESC_BYTES, out, index, ACCESS_READ)
  }

  store16(offset: number, value: number): number {
    if (this.writable) {
      this.hits = (this.hits + 1) | 0
      return this.user.put16(this.base + offset, value)
    }
    const address = this.lookUp(offset, 2)
    return address < 0 ? address : this.user.put16(address, value)
  }

  store16Release(offset: number, value: number): number {
    if (this.writable) {
      this.hits = (this.hits + 1) | 0
      return this.user.put16Release(this.base + offset, value)
    }
    const address = this.lookUp(offset, 2)
    return address < 0 ? address : this.user.put16Release(address, value)
  }

  store32(offset: number, value: number): number {
    if (this.writable) {
      this.hits = (this.hits + 1) | 0
      return this.user.put32(this.base + offset, value)
    }
    const address = this.lookUp(offset, 4)
    return address < 0 ? address : this.user.put32(address, value)
  }

  storeUsed(offset: number, elements: Uint32Array, index: number, count: number): number {
    if (this.writable) {
      this.hits = (this.hits + 1) | 0
      return this.user.copyUsed(this.base + offset, elements, index, count)
    }
    return this.copySegments(offset, USED_ELEM_BYTES * count, elements, index, ACCESS_WRITE)
  }

  /** Read permission for gets and puts alike: the kernel's quirk, see the class. */
  private lookUp(offset: number, length: number): number {
    this.lookups = (this.lookups + 1) | 0
    return this.translation.translateScalar(this.iova + offset, length, ACCESS_READ)
  }

  private copySegments(offset: number, length: number, words: Uint32Array, index: number, access: Access): number {
    this.lookups = (this.lookups + 1) | 0
    const translation = this.translation
    const segments = translation.translate(this.iova + offset, length, access)
    for (let segment = 0, word = index; segment < segments; segment++) {
      const address = translation.address[segment]!
      const count = translation.length[segment]! >>> 2
      const status =
        access === ACCESS_READ
          ? this.user.copyIn(address, words, word, count)
          : this.user.copyOut(address, words, word, count)
      if (status < 0) return status
      word += count
    }
    return Math.min(segments, 0)
  }
}
