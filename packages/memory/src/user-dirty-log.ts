import { EFAULT } from '@vring/layout'
import type { DirtyLog } from './dirty-log.ts'
import type { GuestMap } from './guest-map.ts'

/**
 * A migration log that is told user addresses: with a device IOTLB the guest address of what was written is not known.
 * Memory that is in several slots is noted in each. Source: Linux `log_write_hva`.
 */
export class UserDirtyLog implements DirtyLog {
  readonly map: GuestMap
  readonly log: DirtyLog

  /** @param log by guest-physical address */
  constructor(map: GuestMap, log: DirtyLog) {
    this.map = map
    this.log = log
  }

  /**
   * @param address user address
   * @returns 0, or -EFAULT when a part of the range is in no slot (the parts before it are noted) or the log does not
   * reach it
   */
  write(address: number, length: number): number {
    for (let done = 0; done < length; ) {
      const from = address + done
      // The piece up to where a slot next begins or ends: all of it is in the same slots.
      let span = length - done
      let hit = false
      for (const region of this.map.regions) {
        const d = from - region.userAddress
        if (d < 0) span = Math.min(span, -d)
        else if (d < region.length) {
          hit = true
          span = Math.min(span, region.length - d)
        }
      }
      if (!hit) return EFAULT
      for (const region of this.map.regions) {
        const d = from - region.userAddress
        if (d >= 0 && d < region.length && this.log.write(region.guestAddress + d, span) < 0) return EFAULT
      }
      done += span
    }
    return 0
  }
}
