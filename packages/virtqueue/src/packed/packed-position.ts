import { VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from '@vring/layout'

/** A wrap counter: 1 in the first lap, then 0 and 1 in turn (VirtIO 1.3 section 2.8.1). */
export type Wrap = 0 | 1

/** Does a descriptor with these flags become available in a lap whose wrap counter is `wrap`? VirtIO 1.3 section 2.8.1. */
export function isAvailable(flags: number, wrap: number): boolean {
  return (flags & (VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED)) === (wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED)
}

/** Is a descriptor with these flags used in a lap whose wrap counter is `wrap`? */
export function isUsed(flags: number, wrap: number): boolean {
  return (flags & (VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED)) === usedFlags(wrap)
}

/** AVAIL and USED of a used descriptor: both are the wrap counter. */
export function usedFlags(wrap: number): number {
  return wrap === 1 ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0
}

/** AVAIL and USED of an available descriptor: AVAIL is the wrap counter, USED its inverse. */
export function availFlags(wrap: number): number {
  return wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED
}
