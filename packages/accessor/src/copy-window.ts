import type { AccessMode } from './access-counters.ts'
import type { UserAccess } from './user-access.ts'
import { load16Each, loadDescriptorEach, type Window } from './window.ts'

/**
 * An area reached through user access functions, one call an access: what vhost does without a device IOTLB and without
 * a direct mapping, and what direct mappings fall back to. The range is the owner's affair: check it once when the
 * address is set (`vhost_vq_access_ok`), or give a {@link UserAccess} that checks each access.
 */
export class CopyWindow implements Window {
  readonly user: UserAccess
  /** User address of the area's first byte. */
  readonly address: number
  readonly mode: AccessMode = 'copy'
  /** Accesses since {@link takeHits}, faulted ones too. A small integer, so that counting costs one add. */
  hits = 0

  constructor(user: UserAccess, address: number) {
    this.user = user
    this.address = address
  }

  load16(offset: number): number {
    this.hits = (this.hits + 1) | 0
    return this.user.get16(this.address + offset)
  }

  load16Acquire(offset: number): number {
    this.hits = (this.hits + 1) | 0
    return this.user.get16Acquire(this.address + offset)
  }

  load32(offset: number): number {
    this.hits = (this.hits + 1) | 0
    return this.user.get32(this.address + offset)
  }

  loadDescriptor(offset: number, out: Uint32Array, index: number): number {
    this.hits = (this.hits + 1) | 0
    return this.user.copyDescriptor(this.address + offset, out, index)
  }

  store16(offset: number, value: number): number {
    this.hits = (this.hits + 1) | 0
    return this.user.put16(this.address + offset, value)
  }

  store16Release(offset: number, value: number): number {
    this.hits = (this.hits + 1) | 0
    return this.user.put16Release(this.address + offset, value)
  }

  store32(offset: number, value: number): number {
    this.hits = (this.hits + 1) | 0
    return this.user.put32(this.address + offset, value)
  }

  storeUsed(offset: number, elements: Uint32Array, index: number, count: number): number {
    this.hits = (this.hits + 1) | 0
    return this.user.copyUsed(this.address + offset, elements, index, count)
  }

  load16Batch(offset: number, out: Uint16Array, index: number, count: number): number {
    return load16Each(this, offset, out, index, count)
  }

  loadDescriptorBatch(slots: Uint16Array, out: Uint32Array, index: number, count: number): number {
    return loadDescriptorEach(this, slots, out, index, count)
  }

  /** Accesses since the last call, then forgets them. */
  takeHits(): number {
    const hits = this.hits
    this.hits = 0
    return hits
  }
}
