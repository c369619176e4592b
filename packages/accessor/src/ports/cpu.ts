import type { Access, AddressMap, MemoryView } from '@vring/memory'

/**
 * The Cpu port: the hardware's part of an access. Everything an accessor or a ring does to shared memory goes through
 * it. So the loop that ships is also the one that is counted, mispredicted and explored. Only the port differs.
 *
 * `plainCpu` makes the instructions no-ops and the loads and stores typed-array accesses; V8 inlines all of it away.
 * `CountingCpu` counts. The explorer has a port that interleaves accesses, the speculation checker one that mispredicts.
 *
 * Loads and stores take a typed array over the memory and an index in elements, aligned by construction.
 */
export interface Cpu {
  /** Allow supervisor access to user pages (SMAP, sets EFLAGS.AC). */
  stac(): void
  /** Forbid it again (clears EFLAGS.AC). */
  clac(): void
  /** Speculation barrier: nothing after it executes, not even speculatively, before everything that precedes it. */
  lfence(): void
  /** Full memory barrier, orders an earlier store before a later load (smp_mb). */
  mb(): void
  /** Read barrier, orders earlier loads before later loads (smp_rmb). */
  rmb(): void
  /** Write barrier, orders earlier stores before later stores (smp_wmb). */
  wmb(): void
  /**
   * `access_ok`: does [address, address + length) end at or below `limit`? The outcome is architectural; whether a
   * branch on it is predicted right is {@link predict}'s affair.
   */
  checkLimit(address: number, length: number, limit: number): boolean
  /** A conditional branch that an attacker may have trained. Returns the condition; under speculation perhaps not. */
  predict(condition: boolean): boolean
  /** `value` when 0 <= value < limit, else 0, as a data dependency that holds under speculation; for addresses. */
  mask(value: number, limit: number): number
  /**
   * `array_index_nospec`: `index` when it is below `size`, else 0, by arithmetic that no optimiser can turn back into the
   * branch that it guards. Both are below 2^31. Source: Linux `include/linux/nospec.h`, array_index_mask_nospec.
   */
  indexNospec(index: number, size: number): number
  /** One translation through the page tables (or a TLB that caches them): `map.resolve`. */
  translate(map: AddressMap, address: number, length: number, access: Access): number

  /** Plain 16-bit load. */
  load16(words: Uint16Array, index: number): number
  /** 16-bit load that later loads are ordered after; pairs with {@link store16Release} of the other side. */
  load16Acquire(words: Uint16Array, index: number): number
  /** Plain 32-bit load, unsigned. */
  load32(words: Uint32Array, index: number): number
  /** Plain 64-bit load of words[index] (low) and words[index + 1] (high); a value above 2^53 is rounded, and no address. */
  load64(words: Uint32Array, index: number): number
  /** Copies `count` words to out[at ..], as 64-bit loads. */
  loadWords(words: Uint32Array, index: number, out: Uint32Array, at: number, count: number): void
  store16(words: Uint16Array, index: number, value: number): void
  /** 16-bit store that earlier loads and stores are ordered before; pairs with {@link load16Acquire}. */
  store16Release(words: Uint16Array, index: number, value: number): void
  store32(words: Uint32Array, index: number, value: number): void
  /** Makes `count` words those of from[at ..], as 64-bit stores; one that holds its value already may be left alone. */
  storeWords(words: Uint32Array, index: number, from: Uint32Array, at: number, count: number): void
  /** Copies `length` bytes of payload between two views. */
  copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void

  /** A lock taken and given back by a synchronisation strategy: one locked operation each. */
  lock(): void
  unlock(): void
  /** One range lookup in a device IOTLB. */
  iotlbLookup(): void
}
