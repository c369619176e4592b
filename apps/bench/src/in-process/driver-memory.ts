import { DeviceIotlb, type Iotlb, IotlbBufferMap } from '@vring/iotlb'
import {
  ACCESS_READ,
  ACCESS_WRITE,
  type AccessControl,
  type AddressMap,
  GuestMap,
  type GuestRegion,
  PAGE_BYTES,
  PagedSpace,
} from '@vring/memory'
import type { CellSpec } from '../cell/cell-spec.ts'
import { GUEST_BASE, type Poke, type RingPlan, USER_BASE } from './ring-layout.ts'

/** A driver's memory and how the device gets at it. */
export interface DriverMemory {
  /** User address of its first byte. */
  readonly base: number
  readonly space: PagedSpace
  /** Where descriptors point: guest-physical regions, or the device IOTLB. */
  readonly buffers: AddressMap
  readonly iotlb: Iotlb | null
  readonly poke: Poke
  /** A copy of `length` bytes from `offset`. */
  peek(offset: number, length: number): Uint8Array
}

/** Page tables, and room for what a sweep moves. */
const SPARE_FRAMES = 64

/**
 * Maps the memory that a plan lays out in an address space of its own. Ring areas are mapped one by one, so that some
 * can be file-backed, and buffers as one piece.
 *
 * @param smap whose AC flag guards supervisor accesses; null: a machine without SMAP
 */
export function createDriverMemory(spec: CellSpec, plan: RingPlan, smap: AccessControl | null): DriverMemory {
  const space = new PagedSpace({ frames: plan.bytes / PAGE_BYTES + SPARE_FRAMES, smap })
  const starts = [plan.desc, plan.driver, plan.device, plan.slots]
  for (const [area, start] of starts.entries()) {
    const end = starts[area + 1] ?? plan.bytes
    const kind = area < spec.fileBacked ? 'file' : 'anonymous'
    space.mmap({ address: USER_BASE + start, length: end - start, kind, populate: true })
  }
  const { buffers, iotlb } = bufferMap(spec, plan, space)
  return {
    base: USER_BASE,
    space,
    buffers,
    iotlb,
    poke: (offset, bytes) => space.write(USER_BASE + offset, bytes),
    peek: (offset, length) => space.read(USER_BASE + offset, length),
  }
}

/** Where descriptors point in a cell's memory: guest-physical regions, or the device IOTLB over it. */
export function bufferMap(
  spec: CellSpec,
  plan: RingPlan,
  space: AddressMap,
): { buffers: AddressMap; iotlb: Iotlb | null } {
  if (spec.iotlb) {
    const iotlb = createIotlb(spec, plan)
    return { buffers: new IotlbBufferMap(iotlb, space), iotlb }
  }
  const region = (start: number, length: number): GuestRegion => {
    return { guestAddress: GUEST_BASE + start, userAddress: USER_BASE + start, length }
  }
  const regions = pieces(0, plan.bytes, spec.regions).map(({ start, length }) => region(start, length))
  // More regions than the memory has pages: the others are beyond it, where no address leads, and searched all the same.
  for (let start = plan.bytes; regions.length < spec.regions; start += PAGE_BYTES)
    regions.push(region(start, PAGE_BYTES))
  return { buffers: new GuestMap(space, regions), iotlb: null }
}

/**
 * A device IOTLB that holds everything. Each ring area has one entry, as metadata prefetch wants it in one piece. The
 * rest are over the buffers, and what is left lies beyond them, where no address leads.
 */
function createIotlb(spec: CellSpec, plan: RingPlan): DeviceIotlb {
  const iotlb = new DeviceIotlb({ limit: Math.max(2, spec.iotlbEntries) })
  const both = ACCESS_READ | ACCESS_WRITE
  const map = (start: number, length: number): void => {
    iotlb.update(GUEST_BASE + start, length, USER_BASE + start, both)
  }
  map(plan.desc, plan.driver - plan.desc)
  map(plan.driver, plan.device - plan.driver)
  map(plan.device, plan.slots - plan.device)
  for (const { start, length } of pieces(plan.slots, plan.bytes, spec.iotlbEntries - 3)) map(start, length)
  // Two pages apart, so that no two of them look like one range.
  for (let start = plan.bytes + PAGE_BYTES; iotlb.size < spec.iotlbEntries; start += 2 * PAGE_BYTES)
    map(start, PAGE_BYTES)
  return iotlb
}

/** [from, to) in `count` pieces of whole pages, or one a page when there are fewer pages. */
function pieces(from: number, to: number, count: number): { start: number; length: number }[] {
  const pages = (to - from) / PAGE_BYTES
  const parts = Math.min(count, pages)
  const edge = (index: number): number => from + Math.floor((index * pages) / parts) * PAGE_BYTES
  return Array.from({ length: parts }, (_, index) => ({ start: edge(index), length: edge(index + 1) - edge(index) }))
}
