import type { Window } from '@vring/accessor'
import { type RingAreas, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from '@vring/layout'

/** Offset of the flags of a packed ring's first descriptor, in bytes. */
const FLAGS_OFFSET = 14
/** Next slots 0, in the first lap (VirtIO 1.3 section 2.8.1: wrap counters begin as 1). */
const FIRST_LAP = 0x8000_8000

/**
 * The base of a packed ring whose frontend says 0 for "from the beginning". That is slot 0 of a *second* lap. Such
 * frontends are virtio_uml, and others that know split rings only. The ring tells. At the end of the first lap the
 * first descriptor is used in it, or available again. In a ring that begins it is neither.
 *
 * @param desc of the ring, inside a round
 * @returns the base to start at; what was given where it is right, or can't be told
 */
export function packedBase(desc: Window, { format }: RingAreas, base: number): number {
  if (format !== 'packed' || base !== 0) return base
  const flags = desc.load16(FLAGS_OFFSET)
  if (flags < 0) return base
  const bits = flags & (VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED)
  return bits === 0 || bits === VIRTQ_DESC_F_AVAIL ? FIRST_LAP : base
}
