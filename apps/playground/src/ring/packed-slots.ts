import { VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from '@vring/layout'

/** What a descriptor of a packed ring says to a side that expects this wrap counter there. VirtIO 1.3 section 2.8.1. */
export type SlotState = 'available' | 'used' | 'of the lap before'

/**
 * @param flags of the descriptor
 * @param wrap the wrap counter of the lap that the slot is in
 */
export function slotState(flags: number, wrap: number): SlotState {
  const avail = Number((flags & VIRTQ_DESC_F_AVAIL) !== 0)
  const used = Number((flags & VIRTQ_DESC_F_USED) !== 0)
  if (avail === wrap && used !== wrap) return 'available'
  return avail === wrap ? 'used' : 'of the lap before'
}

/** The wrap counter of each slot: slots before the position are in its lap, the others still in the lap before. */
export function wrapAt(slot: number, next: number, wrap: number): number {
  return slot < next ? wrap : wrap ^ 1
}
