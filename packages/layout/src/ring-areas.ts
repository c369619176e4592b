import { refused } from './vring-error.ts'

/** The three areas of a virtqueue (VirtIO 1.3 section 2.6): Descriptor Area, Driver Area, Device Area. */
export type Area = 'desc' | 'driver' | 'device'
/** The areas in the order of Linux `enum vhost_uaddr_type`. */
export const AREAS: readonly Area[] = ['desc', 'driver', 'device']

/** What the device does with an area: what must be mapped, translated, permitted and marked dirty. */
export type AreaAccess = 'read' | 'write' | 'read-write'

/** One contiguous part of a ring: an address in the device's address space and its length in bytes. */
export interface RingArea {
  readonly address: number
  readonly length: number
  readonly access: AreaAccess
}

/** A ring of either format: where its areas are, and what the device does with each. */
export interface RingAreas extends Readonly<Record<Area, RingArea>> {
  readonly format: 'split' | 'packed'
  /** Entries. */
  readonly queueSize: number
  /** VIRTIO_F_EVENT_IDX: in a split ring the event words belong to the areas. */
  readonly eventIdx: boolean
}

/** May the device load from the area? */
export function mayRead({ access }: RingArea): boolean {
  return access !== 'write'
}

/** May the device store to the area? */
export function mayWrite({ access }: RingArea): boolean {
  return access !== 'read'
}

/**
 * One area, checked.
 *
 * @param align bytes that its address is a multiple of
 * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED
 */
export function ringArea(field: Area, address: number, length: number, align: number, access: AreaAccess): RingArea {
  if (!Number.isSafeInteger(address) || address < 0 || address > Number.MAX_SAFE_INTEGER - length)
    throw refused('ERR_OUT_OF_RANGE', field, address, `an address from 0 to 2^53 - ${length}`)
  if (address % align !== 0) throw refused('ERR_MISALIGNED', field, address, `a multiple of ${align}`)
  return { address, length, access }
}

/**
 * The areas of one ring, which share no byte.
 *
 * @throws VringError ERR_OVERLAP
 */
export function disjointAreas(areas: RingAreas): RingAreas {
  for (const [one, other] of PAIRS) {
    const a = areas[one]
    const b = areas[other]
    if (a.address < b.address + b.length && b.address < a.address + a.length)
      throw refused('ERR_OVERLAP', other, b.address, `an area of ${b.length} bytes outside the ${one} area`)
  }
  return areas
}

const PAIRS: readonly (readonly [Area, Area])[] = [
  ['desc', 'driver'],
  ['desc', 'device'],
  ['driver', 'device'],
]
