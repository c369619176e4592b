import type { Cpu, UserAccess, UserCopy, Window } from '@vring/accessor'
import type { Iotlb } from '@vring/iotlb'
import { EFAULT, mayRead, mayWrite, type RingArea } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, type Access } from '@vring/memory'
import { type IovaTranslation, keepsWords } from './iova-translation.ts'

/**
 * An area whose address is an IOVA. Prefetch may find one entry that covers the whole area and permits all that the
 * device does with it. Its translation is then cached (`meta_iotlb`), and an access is one addition more than a plain
 * copy. No bound is checked, as the entry covers the area and the ring checks its indices. Otherwise each access looks
 * the range up.
 *
 * Source: Linux 5.0 `drivers/vhost/vhost.c`, `__vhost_get_user`, vhost_copy_from_user, vhost_copy_to_user. There the
 * look-up of a put asks for read permission, which `putPermission` brings back. Not kept: a scalar whose translation is
 * missing gives -EFAULT there and -EAGAIN here, as a queue here latches a fault.
 */
export class TranslatedWindow implements Window {
  /** Accesses through the cached translation since they were taken. */
  hits = 0
  /** Accesses that looked the range up. */
  lookups = 0
  /** User address of the area's first byte, or -1: each access looks its range up. */
  base = -1
  private readonly user: UserAccess & UserCopy
  private readonly cpu: Cpu
  private readonly iotlb: Iotlb
  private readonly translation: IovaTranslation
  private readonly iova: number
  private readonly length: number
  private readonly readable: boolean
  private readonly writable: boolean
  /** What the device does with the area, as permission bits. */
  private readonly needed: number
  private readonly putPermission: Access

  constructor(
    user: UserAccess & UserCopy,
    cpu: Cpu,
    iotlb: Iotlb,
    translation: IovaTranslation,
    area: RingArea,
    putPermission: Access,
  ) {
    this.user = user
    this.cpu = cpu
    this.iotlb = iotlb
    this.translation = translation
    this.iova = area.address
    this.length = area.length
    this.readable = mayRead(area)
    this.writable = mayWrite(area)
    this.needed = (this.readable ? ACCESS_READ : 0) | (this.writable ? ACCESS_WRITE : 0)
    this.putPermission = putPermission
  }

  /** Forgets the cached translation: any update or invalidation of the IOTLB does (Linux: vhost_vq_meta_reset). */
  forget(): void {
    this.base = -1
  }

  /**
   * Walks the area's translations and caches the first one if it covers the area. Source: Linux `iotlb_access_ok`.
   *
   * @returns false when a translation is missing (a miss was queued) or does not permit the access (no miss was
   * queued). The driver would only repeat its answer then.
   */
  prefetch(): boolean {
    if (this.base >= 0) return true
    for (let done = 0; done < this.length; ) {
      const iova = this.iova + done
      this.cpu.iotlbLookup()
      const entry = this.iotlb.lookup(iova)
      if (entry === null) {
        this.iotlb.miss(iova, this.needed)
        return false
      }
      if ((entry.perm & this.needed) !== this.needed) return false
      const span = entry.last - iova + 1
      if (done === 0 && span >= this.length && keepsWords(entry.uaddr - entry.iova))
        this.base = entry.uaddr + (iova - entry.iova)
      done += span
    }
    return true
  }

  load16(offset: number): number {
    if (this.readable === false) return EFAULT
    const address = this.locate(offset, 2, ACCESS_READ)
    return address < 0 ? address : this.user.get16(address)
  }

  load16Acquire(offset: number): number {
    if (this.readable === false) return EFAULT
    const address = this.locate(offset, 2, ACCESS_READ)
    return address < 0 ? address : this.user.get16Acquire(address)
  }

  load32(offset: number): number {
    if (this.readable === false) return EFAULT
    const address = this.locate(offset, 4, ACCESS_READ)
    return address < 0 ? address : this.user.get32(address)
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    if (this.readable === false) return EFAULT
    if (this.base < 0) return this.copySegments(offset, 4 * count, out, index, ACCESS_READ)
    this.hits = (this.hits + 1) | 0
    return this.user.copyFrom(this.base + offset, out, index, count)
  }

  store16(offset: number, value: number): number {
    if (this.writable === false) return EFAULT
    const address = this.locate(offset, 2, this.putPermission)
    return address < 0 ? address : this.user.put16(address, value)
  }

  store16Release(offset: number, value: number): number {
    if (this.writable === false) return EFAULT
    const address = this.locate(offset, 2, this.putPermission)
    return address < 0 ? address : this.user.put16Release(address, value)
  }

  store32(offset: number, value: number): number {
    if (this.writable === false) return EFAULT
    const address = this.locate(offset, 4, this.putPermission)
    return address < 0 ? address : this.user.put32(address, value)
  }

  storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    if (this.writable === false) return EFAULT
    if (this.base < 0) return this.copySegments(offset, 4 * count, words, index, ACCESS_WRITE)
    this.hits = (this.hits + 1) | 0
    return this.user.copyTo(this.base + offset, words, index, count)
  }

  /** User address of a scalar, or a negative errno. */
  private locate(offset: number, length: number, access: Access): number {
    const { base } = this
    if (base >= 0) {
      this.hits = (this.hits + 1) | 0
      return base + offset
    }
    this.lookups = (this.lookups + 1) | 0
    return this.translation.translateScalar(this.iova + offset, length, access)
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
