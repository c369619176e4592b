/**
 * Address spaces for virtqueue devices. They are what a device's accessor and datapath need of memory. Two providers
 * are here: a page-table model and mapped real memory.
 *
 * @packageDocumentation
 */
export * from './address-map.ts'
export * from './dirty-log.ts'
export * from './guest-map.ts'
export * from './lazy-view.ts'
export { type AddressRange, type MappedRegion, VIEW_BYTES_MAX } from './mapped-regions.ts'
export * from './mapped-space.ts'
export * from './memory-view.ts'
export * from './page-size.ts'
export { auditFrames } from './paged/audit.ts'
export { describeEntry, type EntryDescription } from './paged/describe-entry.ts'
export type { AllocationPolicy } from './paged/frame-allocator.ts'
export type { GupFailure, GupResult } from './paged/get-user-pages.ts'
export { Mm } from './paged/mm.ts'
export type { MmapOptions } from './paged/operations/mmap.ts'
export type { Protection } from './paged/operations/mprotect.ts'
export { writeback } from './paged/operations/writeback.ts'
export { PageCache, type PageCacheKind } from './paged/page-cache.ts'
export {
  frameOf,
  frameOffset,
  PageTable,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_MIGRATION,
  PTE_PRESENT,
  PTE_USER,
  PTE_WRITE,
} from './paged/page-table.ts'
export type { PagedKernelMapping } from './paged/paged-kernel-mapping.ts'
export { type AccessControl, PagedSpace, type PagedSpaceOptions } from './paged/paged-space.ts'
export {
  FRAMES_MAX,
  type FrameCorruption,
  PAGE_POISON,
  PhysicalMemory,
  type PhysicalMemoryOptions,
  type SpaceParts,
} from './paged/physical-memory.ts'
export { Tlb } from './paged/tlb.ts'
export { type Violation, type ViolationKind, ViolationLog } from './paged/violation.ts'
export { type Vma, type VmaKind, VmaSet } from './paged/vma.ts'
export * from './user-dirty-log.ts'
export * from './user-space.ts'
export * from './work-meter.ts'
