import { EFAULT } from '@vring/layout'
import type { DirtyLog } from './dirty-log.ts'
import type { GuestMap, GuestRegion } from './guest-map.ts'
import { SortedRegions } from './sorted-regions.ts'
import { work } from './work-meter.ts'

/** User memory that the same slots show. */
interface Piece {
  readonly start: number
  readonly end: number
  readonly slots: readonly GuestRegion[]
}

/**
 * A migration log that is told user addresses: with a device IOTLB the guest address of what was written is not known.
 * Memory that is in several slots is noted in each. Source: Linux `log_write_hva`.
 */
export class UserDirtyLog implements DirtyLog {
  readonly map: GuestMap
  readonly log: DirtyLog
  /** The slots that the pieces were made of. */
  private regions: readonly GuestRegion[] = []
  /** By user address. */
  private pieces = sortedPieces([])

  /** @param log by guest-physical address */
  constructor(map: GuestMap, log: DirtyLog) {
    this.map = map
    this.log = log
  }

  /**
   * @param address user address
   * @returns 0, or -EFAULT when a part of the range is in no slot or the log does not reach it. The parts before it are
   * noted
   */
  write(address: number, length: number): number {
    if (this.regions !== this.map.regions) this.arrange(this.map.regions)
    for (let done = 0; done < length; ) {
      const from = address + done
      work.charge(1)
      const piece = this.pieces.list[this.pieces.find(from)]
      if (piece === undefined || !(from < piece.end)) return EFAULT
      const span = Math.min(length - done, piece.end - from)
      for (const { guestAddress, userAddress } of piece.slots)
        if (this.log.write(guestAddress + (from - userAddress), span) < 0) return EFAULT
      done += span
    }
    return 0
  }

  /** Cuts user memory where a slot begins or ends: all of a piece is in the same slots. */
  private arrange(regions: readonly GuestRegion[]): void {
    const sorted = [...regions].sort((a, b) => a.userAddress - b.userAddress)
    const cuts = [...new Set(sorted.flatMap((slot) => [slot.userAddress, endOf(slot)]))].sort((a, b) => a - b)
    const pieces: Piece[] = []
    let slots: GuestRegion[] = []
    let next = 0
    for (const [i, start] of cuts.entries()) {
      slots = slots.filter((slot) => endOf(slot) > start)
      while (next < sorted.length && sorted[next]!.userAddress <= start) slots.push(sorted[next++]!)
      if (slots.length > 0) pieces.push({ start, end: cuts[i + 1]!, slots })
    }
    this.regions = regions
    this.pieces = sortedPieces(pieces)
  }
}

const sortedPieces = (pieces: readonly Piece[]): SortedRegions<Piece> => new SortedRegions(pieces, ({ start }) => start)

function endOf({ userAddress, length }: GuestRegion): number {
  return userAddress + length
}
