import type { Steps } from '@vring/accessor'
import type { DeviceIotlb, IotlbEntry } from '@vring/iotlb'
import { AREAS, type Area, USED_IDX_OFFSET } from '@vring/layout'
import {
  ACCESS_READ,
  ACCESS_WRITE,
  describeEntry,
  PAGE_BYTES,
  type PagedKernelMapping,
  type PagedSpace,
} from '@vring/memory'
import type { RoundEnd } from '@vring/vhost-net'
import { type DeviceQueue, type DriverQueue, SplitDriverQueue } from '@vring/virtqueue'
import type { AccessorChoice } from './action.ts'
import { GUEST_BASE, REGIONS, type RegionName, type RingFormat, ringAt, USER_BASE } from './layout.ts'

/** One page of the guest's memory, as the process that runs the guest has it. */
export interface PageState {
  readonly region: RegionName
  readonly guestAddress: number
  readonly userAddress: number
  /** `anonymous rw`, or null: not mapped. */
  readonly vma: string | null
  /** Frame, or -1. */
  readonly frame: number
  /** Slot of the swap device, or -1. */
  readonly swapSlot: number
  readonly flags: readonly string[]
  /** What the TLB would answer without a walk. */
  readonly tlb: 'read' | 'read, write' | ''
}

/** A direct mapping that is held. */
export interface MappingState {
  readonly area: Area
  readonly write: boolean
  /** Frame that it was made of. */
  readonly frame: number
  /** The page table says something else by now. */
  readonly stale: boolean
}

/** The queue as both sides keep it in memory of their own. */
export interface QueueState {
  /** As it was chosen: a mutant calls itself what it was made of. */
  readonly accessor: AccessorChoice
  readonly format: RingFormat
  /** What the device takes next: an index of a split ring, a slot of a packed one. */
  readonly nextAvail: number
  /** Where it puts the next used element: likewise. */
  readonly usedIdx: number
  /** The device's wrap counters, available and used; null: a split ring has none. */
  readonly wraps: readonly [avail: number, used: number] | null
  readonly broken: DeviceQueue['broken']
  /** Index up to which the driver has published; null: a packed ring has none. */
  readonly availIdx: number | null
  /** What the driver takes back next: likewise an index, or a slot. */
  readonly lastUsed: number
  readonly freeDescriptors: number
}

/** Counts since the beginning. */
export interface Totals {
  /** Frames that the backend has taken. */
  readonly packets: number
  readonly notifications: number
  readonly metadata: Steps
  readonly payload: Steps
  /** Accesses by area and mode, `device: fallback:page-absent`. */
  readonly accesses: Readonly<Record<string, number>>
  /** Frames by XDP verdict. */
  readonly verdicts: readonly number[]
  readonly lastRound: RoundEnd | null
}

/** Everything that the page shows, at one moment. */
export interface Snapshot {
  /** Bytes of each area as they lie in memory, or null where it has no frame. */
  readonly areas: Readonly<Record<Area, Uint8Array | null>>
  readonly pages: readonly PageState[]
  readonly mappings: readonly MappingState[]
  /** Null without a device IOTLB. */
  readonly iotlb: { readonly entries: readonly IotlbEntry[]; readonly openMisses: number } | null
  /** Invalidations that have begun and not ended. */
  readonly openInvalidations: number
  /** What must not happen, and did: SMAP, use of a stale mapping, damaged frames. */
  readonly violations: readonly string[]
  readonly queue: QueueState
  readonly totals: Totals
}

/** What {@link MemoryObserver} looks at. */
export interface Observed {
  readonly space: PagedSpace
  readonly iotlb: DeviceIotlb | null
  readonly accessor: AccessorChoice
  readonly format: RingFormat
  readonly device: DeviceQueue
  readonly driver: DriverQueue
  readonly totals: Totals
}

/** Looks at a machine without touching it: no page fault, no accessed bit, no use of a mapping. */
export class MemoryObserver {
  /** Frame of each mapping when it was seen first: asking a stale mapping for it would be a use of it. */
  readonly #frames = new WeakMap<PagedKernelMapping, number>()

  observe({ space, iotlb, format, accessor, device, driver, totals }: Observed): Snapshot {
    const ring = ringAt(USER_BASE, format)
    return {
      areas: {
        desc: peek(space, ring.desc.address, ring.desc.length),
        driver: peek(space, ring.driver.address, ring.driver.length),
        device: peek(space, ring.device.address, ring.device.length),
      },
      pages: pageStates(space),
      mappings: [...space.kernelMappings].map((mapping) => this.#mapping(mapping)),
      iotlb: iotlb === null ? null : { entries: [...iotlb.entries], openMisses: iotlb.openMisses },
      // The end of an invalidation is told before it is over.
      openInvalidations: space.notifiers.openCount,
      violations: [
        ...space.violations.records.map(
          ({ kind, address, detail }) => `${kind} at 0x${address.toString(16)}: ${detail}`,
        ),
        ...space.physical.corruptions.map(({ frame }) => `frame ${frame} was written after it was freed`),
      ],
      queue: {
        accessor,
        format,
        ...(driver instanceof SplitDriverQueue
          ? {
              nextAvail: device.base,
              usedIdx: usedIdxOf(peek(space, ring.device.address, ring.device.length)),
              wraps: null,
              availIdx: driver.availIdx,
              lastUsed: driver.lastUsed,
            }
          : packedPositions(device, driver)),
        broken: device.broken,
        freeDescriptors: driver.freeCount,
      },
      totals,
    }
  }

  #mapping(mapping: PagedKernelMapping): MappingState {
    const { request, isStale: stale } = mapping
    let frame = this.#frames.get(mapping)
    if (frame === undefined && !stale) {
      frame = Math.floor(mapping.offsetOf(0) / PAGE_BYTES)
      this.#frames.set(mapping, frame)
    }
    const area = AREAS[Math.floor((request.address - USER_BASE) / PAGE_BYTES)]!
    return { area, write: request.write, frame: frame ?? -1, stale }
  }
}

/** The page table and the TLB of a space: the first one in its memory, which children of a fork follow. */
function translationsOf(space: PagedSpace) {
  const [mm] = space.physical.spaces
  return mm!
}

/** Bytes as they lie in their frame, or null when there is none. Inside one page. */
function peek(space: PagedSpace, address: number, length: number): Uint8Array | null {
  const { frame } = describeEntry(translationsOf(space).table.entry(Math.floor(address / PAGE_BYTES)))
  if (frame < 0) return null
  const offset = address % PAGE_BYTES
  return space.physical.bytes(frame).slice(offset, offset + length)
}

function pageStates(space: PagedSpace): PageState[] {
  const { table, tlb } = translationsOf(space)
  return REGIONS.flatMap(({ name, page: first, pages }) =>
    Array.from({ length: pages }, (_, index) => {
      const offset = PAGE_BYTES * (first + index)
      const userAddress = USER_BASE + offset
      const entry = table.entry(userAddress / PAGE_BYTES)
      const vma = space.vmas.find(({ start, end }) => start <= userAddress && userAddress < end)
      const reads = tlb.holds(userAddress, ACCESS_READ)
      return {
        region: name,
        guestAddress: GUEST_BASE + offset,
        userAddress,
        vma: vma === undefined ? null : `${vma.kind} ${vma.read ? 'r' : '-'}${vma.write ? 'w' : '-'}`,
        ...describeEntry(entry),
        tlb: tlb.holds(userAddress, ACCESS_WRITE) ? 'read, write' : reads ? 'read' : '',
      } as const
    }),
  )
}

/** Slots and wrap counters, out of the bases of both sides. */
function packedPositions(device: DeviceQueue, driver: DriverQueue) {
  const { base } = device
  const wraps: readonly [number, number] = [(base >>> 15) & 1, base >>> 31]
  return {
    nextAvail: base & 0x7fff,
    usedIdx: (base >>> 16) & 0x7fff,
    wraps,
    availIdx: null,
    lastUsed: driver.base & 0x7fff,
  }
}

/** used.idx as memory has it; 0 where the area is not there. */
function usedIdxOf(bytes: Uint8Array | null): number {
  return bytes === null ? 0 : bytes[USED_IDX_OFFSET]! | (bytes[USED_IDX_OFFSET + 1]! << 8)
}
