import type { Cpu } from '@vring/accessor'
import type { Iotlb } from '@vring/iotlb'
import { EAGAIN, EFAULT, ENOBUFS } from '@vring/layout'
import type { Access } from '@vring/memory'

/** Segments that one copy may be translated to. Source: Linux `struct vhost_virtqueue.iotlb_iov`. */
export const IOTLB_IOV_SEGMENTS = 64

/**
 * Translates an IOVA range to segments of user memory: `translate_desc`, into columns that every call writes over.
 *
 * Translations keep 4-byte alignment: an entry that moves addresses by another amount, or that ends inside a word of the
 * range, is -EFAULT. Real IOTLBs translate whole pages.
 */
export class IovaTranslation {
  /** User address of each segment. */
  readonly address: Float64Array = new Float64Array(IOTLB_IOV_SEGMENTS)
  /** Bytes of each segment. */
  readonly length: Uint32Array = new Uint32Array(IOTLB_IOV_SEGMENTS)
  private readonly iotlb: Iotlb
  private readonly cpu: Cpu

  constructor(iotlb: Iotlb, cpu: Cpu) {
    this.iotlb = iotlb
    this.cpu = cpu
  }

  /**
   * Translates a range to the columns; nothing is accessed yet, so that a copy happens whole or not at all.
   *
   * @returns how many segments, or -EAGAIN (a miss was queued), -EFAULT (permission, alignment), -ENOBUFS (too many)
   */
  translate(iova: number, length: number, access: Access): number {
    let segments = 0
    for (let done = 0; done < length; segments++) {
      if (segments === IOTLB_IOV_SEGMENTS) return ENOBUFS
      const from = iova + done
      this.cpu.iotlbLookup()
      const entry = this.iotlb.lookup(from)
      if (entry === null) {
        this.iotlb.miss(from, access)
        return EAGAIN
      }
      if ((entry.perm & access) !== access) return EFAULT
      const span = Math.min(length - done, entry.last - from + 1)
      if (!keepsWords(entry.uaddr - entry.iova) || (span < length - done && span % 4 !== 0)) return EFAULT
      this.address[segments] = entry.uaddr + (from - entry.iova)
      this.length[segments] = span
      done += span
    }
    return segments
  }

  /**
   * Translates a scalar, which must lie in one entry: two would not be one memory access (Linux: "Non atomic userspace
   * memory access").
   *
   * @returns the user address, or a negative errno
   */
  translateScalar(iova: number, length: number, access: Access): number {
    const segments = this.translate(iova, length, access)
    if (segments < 0) return segments
    return segments === 1 ? this.address[0]! : EFAULT
  }
}

/** Does a translation by `delta` bytes keep the alignment of 16-bit and 32-bit words? */
export function keepsWords(delta: number): boolean {
  return delta % 4 === 0
}
