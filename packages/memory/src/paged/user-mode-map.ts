import { EFAULT, EXDEV } from '@vring/layout'
import type { Access, AddressMap } from '../address-map.ts'
import type { MemoryView } from '../memory-view.ts'
import { PAGE_BYTES } from '../page-size.ts'
import { walkPage } from './fault.ts'
import type { Mm } from './mm.ts'
import type { Tlb } from './tlb.ts'

/**
 * An address space as its own process reaches it: through the page tables, in user mode, so without SMAP's rule. What
 * the driver of a queue uses while the device uses the space itself.
 */
export class UserModeMap implements AddressMap {
  readonly view: MemoryView
  span = 0
  private readonly mm: Mm
  private readonly tlb: Tlb

  constructor(mm: Mm) {
    this.mm = mm
    this.tlb = mm.tlb
    this.view = mm.physical.view
  }

  resolve(address: number, length: number, access: Access): number {
    const at = this.tlb.lookup(address, length, access)
    return at >= 0 ? at : this.walk(address, length, access) | 0
  }

  resolveSpan(address: number, length: number, access: Access): number {
    if (!(length >= 0)) return EFAULT
    const offset = address % PAGE_BYTES
    let span = Math.min(length, PAGE_BYTES - offset)
    const at = this.resolve(address, span, access)
    if (at < 0) return at
    // Go on while the frames are neighbours. A page that can't be reached ends the span; the caller meets it next.
    for (let next = this.continues(address, at, span, length, access); next > 0; ) {
      span += next
      next = this.continues(address, at, span, length, access)
    }
    this.span = span
    return at
  }

  /** Bytes of the next page that continue the span, or 0. */
  private continues(address: number, at: number, span: number, length: number, access: Access): number {
    if (span >= length) return 0
    const bytes = Math.min(length - span, PAGE_BYTES)
    return this.resolve(address + span, bytes, access) === at + span ? bytes : 0
  }

  private walk(address: number, length: number, access: Access): number {
    const mm = this.mm
    // The second condition also turns down addresses at or above the limit, and neither of them can wrap.
    if (!(Number.isInteger(address) && address >= 0 && length >= 0 && length <= mm.limit - address)) return EFAULT
    const page = Math.floor(address / PAGE_BYTES)
    const base = walkPage(mm, page, access)
    if (base < 0) return base
    const offset = address % PAGE_BYTES
    let contiguous = true
    for (let i = 1; i * PAGE_BYTES < offset + length && contiguous; i++) {
      const next = walkPage(mm, page + i, access)
      if (next < 0) return next
      contiguous = next === base + i * PAGE_BYTES
    }
    return contiguous ? base + offset : EXDEV
  }
}
