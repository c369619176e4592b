import type { MmuNotifierRegistry } from '@vring/mmu-notifier'
import type { AddressMap } from './address-map.ts'
import type { MemoryView } from './memory-view.ts'

/**
 * Why there is no direct mapping; the reasons that counters, traces and `explain` show. `notifier-busy`: an invalidation is
 * open, or took the mapping away since the round began.
 */
export type MapRefusal =
  | 'file-backed'
  | 'page-absent'
  | 'not-contiguous'
  | 'highmem'
  | 'notifier-busy'
  | 'iotlb'
  | 'no-notifier'
  | 'aliasing-cache'
  | 'unmapped'

/** `vmap` maps any pages side by side; `linear` needs pages that are physically contiguous and not highmem. */
export type MappingKind = 'vmap' | 'linear'

/** What a direct mapping is asked to be. */
export interface MapRequest {
  readonly address: number
  /** Bytes. */
  readonly length: number
  /** The device will write through it. */
  readonly write: boolean
  readonly mapping: MappingKind
  /**
   * `refuse` (default): pages of a file are not mapped. `map`: they are, as the merged version of the patch did, so that
   * the writes it lost (hazard M8) can be shown.
   */
  readonly files?: 'refuse' | 'map'
}

/**
 * A direct ("kernel") mapping of a user range: bytes without check, without walk. Valid until its owner is told
 * otherwise by the MMU notifier; using it afterwards is the bug that the page-table model detects.
 */
export interface KernelMapping {
  readonly view: MemoryView
  /** Byte offset in {@link view} of the range's first byte when the whole range is contiguous there, else -1. */
  readonly base: number
  /** Byte offset in {@link view} of `offset` in the range, whatever its contiguity; for mappings whose base is -1. */
  offsetOf(offset: number): number
  /** Marks the pages of a writable mapping dirty. Source: Linux `set_page_dirty`. */
  markDirty(): void
  /** Gives the mapping back. A second call does nothing. */
  release(): void
}

/**
 * A process's address space as the device sees it. Consumers need no more than this; `PagedSpace` (the model) and
 * `MappedSpace` (real mapped memory) provide it.
 */
export interface UserSpace extends AddressMap {
  /** First address that is not a user address (x86-64 Linux: TASK_SIZE_MAX). */
  readonly limit: number
  /** Told before any translation changes. */
  readonly notifiers: MmuNotifierRegistry
  /**
   * Maps a range for direct access without taking a fault (`__get_user_pages_fast`, then vmap or page_address).
   *
   * @returns the mapping, or why it was refused
   */
  mapKernel(request: MapRequest): KernelMapping | MapRefusal
}
