import {
  AREAS,
  type Area,
  featureSet,
  packedRingAreas,
  type RingAreas,
  splitRingAreas,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_VERSION_1,
} from '@vring/layout'
import { PAGE_BYTES } from '@vring/memory'

/** Entries of the ring: as many as fit on a screen. */
export const QUEUE_SIZE = 8

export type RingFormat = RingAreas['format']

/** Features that driver and device agreed on. */
export function featuresOf(format: RingFormat): bigint {
  const common = [VIRTIO_F_VERSION_1, VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC]
  return featureSet(...common, ...(format === 'packed' ? [VIRTIO_F_RING_PACKED] : []))
}

/** Where the guest's memory begins for the guest, and for the process that runs it. */
export const GUEST_BASE = 0x1_0000
export const USER_BASE = 0x7f20_0000_0000

/** What events of memory are aimed at: an area of the ring, or the driver's buffers. */
export type RegionName = Area | 'buffers'

/** A mapping of its own in the process that runs the guest. */
export interface Region {
  readonly name: RegionName
  /** Page of the guest's memory that it begins with. */
  readonly page: number
  readonly pages: number
}

/** ```| desc | driver | device | buffers | indirect tables |``` */
export const REGIONS: readonly Region[] = [
  ...AREAS.map((name, page) => ({ name, page, pages: 1 })),
  { name: 'buffers', page: 3, pages: 2 },
]

/** Pages of the guest's memory. */
export const GUEST_PAGES = 5

/** Buffers begin this far from one another: what a frame of 76 bytes needs and a round number. */
const BUFFER_STRIDE = 0x100

/** Guest address of buffer `index`. There are as many buffers as descriptors. */
export function bufferAddress(index: number): number {
  return GUEST_BASE + PAGE_BYTES * 3 + BUFFER_STRIDE * index
}

/** Guest address of the indirect table of head `head`. */
export function tableAddress(head: number): number {
  return GUEST_BASE + PAGE_BYTES * 4 + BUFFER_STRIDE * head
}

/** The ring in user addresses, or in guest addresses, which are IOVAs under a device IOTLB. */
export function ringAt(base: number, format: RingFormat): RingAreas {
  const areasOf = format === 'packed' ? packedRingAreas : splitRingAreas
  return areasOf(QUEUE_SIZE, true, base, base + PAGE_BYTES, base + 2 * PAGE_BYTES)
}

/** @throws RangeError for a name that is none */
export function regionOf(name: RegionName): Region {
  const region = REGIONS.find((candidate) => candidate.name === name)
  if (region === undefined) throw new RangeError(`no region ${name}`)
  return region
}

/** A region in the process's addresses. */
export function userRange(name: RegionName): { readonly address: number; readonly length: number } {
  const { page, pages } = regionOf(name)
  return { address: USER_BASE + PAGE_BYTES * page, length: PAGE_BYTES * pages }
}
