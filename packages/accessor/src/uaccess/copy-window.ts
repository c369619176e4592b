import { EFAULT, mayRead, mayWrite, type RingArea } from '@vring/layout'
import type { Window } from '../contract/window.ts'
import type { UserAccess } from './user-access.ts'

/**
 * An area reached through user access functions, one call an access. vhost does this without a device IOTLB and without
 * a direct mapping. Direct mappings fall back to it. The range is the owner's affair: check it once when the address is
 * set (`vhost_vq_access_ok`), or give a {@link UserAccess} that checks each access.
 */
export class CopyWindow implements Window {
  readonly user: UserAccess
  /** User address of the area's first byte. */
  readonly address: number
  /** Accesses since {@link takeHits}, faulted ones too. A small integer, so that counting costs one add. */
  hits = 0
  private readonly readable: boolean
  private readonly writable: boolean

  constructor(user: UserAccess, area: RingArea) {
    this.user = user
    this.address = area.address
    this.readable = mayRead(area)
    this.writable = mayWrite(area)
  }

  load16(offset: number): number {
    if (this.readable === false) return EFAULT
    this.hits = (this.hits + 1) | 0
    return this.user.get16(this.address + offset)
  }

  load16Acquire(offset: number): number {
    if (this.readable === false) return EFAULT
    this.hits = (this.hits + 1) | 0
    return this.user.get16Acquire(this.address + offset)
  }

  load32(offset: number): number {
    if (this.readable === false) return EFAULT
    this.hits = (this.hits + 1) | 0
    return this.user.get32(this.address + offset)
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    if (this.readable === false) return EFAULT
    this.hits = (this.hits + 1) | 0
    return this.user.copyFrom(this.address + offset, out, index, count)
  }

  store16(offset: number, value: number): number {
    if (this.writable === false) return EFAULT
    this.hits = (this.hits + 1) | 0
    return this.user.put16(this.address + offset, value)
  }

  store16Release(offset: number, value: number): number {
    if (this.writable === false) return EFAULT
    this.hits = (this.hits + 1) | 0
    return this.user.put16Release(this.address + offset, value)
  }

  store32(offset: number, value: number): number {
    if (this.writable === false) return EFAULT
    this.hits = (this.hits + 1) | 0
    return this.user.put32(this.address + offset, value)
  }

  storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    if (this.writable === false) return EFAULT
    this.hits = (this.hits + 1) | 0
    return this.user.copyTo(this.address + offset, words, index, count)
  }

  /** Accesses since the last call, then forgets them. */
  takeHits(): number {
    const hits = this.hits
    this.hits = 0
    return hits
  }
}
