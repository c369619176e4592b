import { EAGAIN, EFAULT } from '@vring/layout'
import { ACCESS_WRITE, type DirtyLog, work } from '@vring/memory'
import type { Iotlb } from './iotlb.ts'

/**
 * A migration log that is told IOVAs: what a used ring under the IOTLB writes to. Source: Linux `log_used` with an IOTLB:
 * `translate_desc` for writing, then `log_write_hva` for each segment.
 */
export class IotlbDirtyLog implements DirtyLog {
  readonly iotlb: Iotlb
  readonly log: DirtyLog

  /** @param log by user address, such as `UserDirtyLog` of `@vring/memory` */
  constructor(iotlb: Iotlb, log: DirtyLog) {
    this.iotlb = iotlb
    this.log = log
  }

  /**
   * @param address IOVA
   * @returns 0, or -EAGAIN for a translation that is missing (it was asked for), or -EFAULT for one that may not be written,
   * or that the log does not know. What comes before either is noted.
   */
  write(address: number, length: number): number {
    for (let done = 0; done < length; ) {
      const iova = address + done
      work.charge(1)
      const entry = this.iotlb.lookup(iova)
      if (entry === null) {
        if (!(iova >= 0 && iova <= Number.MAX_SAFE_INTEGER)) return EFAULT
        this.iotlb.miss(iova, ACCESS_WRITE)
        return EAGAIN
      }
      if ((entry.perm & ACCESS_WRITE) === 0) return EFAULT
      const span = Math.min(length - done, entry.last - iova + 1)
      const status = this.log.write(entry.uaddr + (iova - entry.iova), span)
      if (status < 0) return status
      done += span
    }
    return 0
  }
}
