import type { Access, AddressMap, MemoryView } from '@vring/memory'
import type { PlainChains } from './plain-chains.ts'

/**
 * The Cpu port: the hardware's part of an access. Everything an accessor or a ring does to shared memory goes through
 * it, so that the accessor that ships is also the one that is counted, mispredicted and explored: only the port differs.
 *
 * `plainCpu` makes the instructions no-ops and the loads and stores typed-array accesses; V8 inlines all of it away.
 * `CountingCpu` counts. `@vring/speculation` has a port that mispredicts branches, `@vring/explorer` one that interleaves
 * accesses.
 *
 * Offsets are byte offsets into `view`, aligned to the width of the access.
 */
export interface Cpu {
  /** Allow supervisor access to user pages (SMAP, sets EFLAGS.AC). */
  stac(): void
  /** Forbid it again (clears EFLAGS.AC). */
  clac(): void
  /** Speculation barrier: nothing behind it executes, not even speculatively, before everything in front of it. */
  lfence(): void
  /** Full memory barrier, orders an earlier store before a later load (smp_mb). */
  mb(): void
  /**
   * `access_ok`: does [address, address + length) end at or below `limit`? The outcome is architectural; whether a
   * branch on it is predicted right is {@link predict}'s affair.
   */
  checkLimit(address: number, length: number, limit: number): boolean
  /** A conditional branch that an attacker may have trained. Returns the condition; under speculation perhaps not. */
  predict(condition: boolean): boolean
  /**
   * `array_index_nospec`: `value` when 0 <= value < limit, else 0, as a data dependency that holds under speculation.
   */
  mask(value: number, limit: number): number
  /** One translation through the page tables (or a TLB that caches them): `map.resolve`. */
  translate(map: AddressMap, address: number, length: number, access: Access): number

  /** Plain 16-bit load. */
  load16(view: MemoryView, offset: number): number
  /** 16-bit load that later loads are ordered behind; pairs with {@link store16Release} of the other side. */
  load16Acquire(view: MemoryView, offset: number): number
  /** Plain 32-bit load, unsigned. */
  load32(view: MemoryView, offset: number): number
  /** Copies a descriptor's 16 bytes to out[index .. index + 3], as two 64-bit loads. */
  loadDescriptor(view: MemoryView, offset: number, out: Uint32Array, index: number): void
  /** {@link load16} of `count` words side by side, in order, to out[index ..]. */
  load16Batch(view: MemoryView, offset: number, out: Uint16Array, index: number, count: number): void
  /**
   * {@link loadDescriptor} of the descriptors that slots[index .. index + count - 1] number in the table at `offset`, in
   * order: descriptor slots[i] to out[4 * i ..].
   */
  loadDescriptorBatch(
    view: MemoryView,
    offset: number,
    slots: Uint16Array,
    out: Uint32Array,
    index: number,
    count: number,
  ): void
  /**
   * For `count` avail entries from offset `entry` on: {@link load16} of the entry, {@link predict} that it is below the
   * queue size, {@link loadDescriptor} of that descriptor in the table at offset `table`, in order, up to the first chain
   * that is not plain, to the columns of `out` from chain `index` on. Of that one nothing is kept.
   *
   * @returns how many are plain
   */
  loadPlain(
    avail: MemoryView,
    entry: number,
    desc: MemoryView,
    table: number,
    count: number,
    queueSize: number,
    out: PlainChains,
    index: number,
  ): number
  store16(view: MemoryView, offset: number, value: number): void
  /** 16-bit store that earlier loads and stores are ordered before; pairs with {@link load16Acquire}. */
  store16Release(view: MemoryView, offset: number, value: number): void
  store32(view: MemoryView, offset: number, value: number): void
  /** Makes `count` used elements (8 bytes each) those of elements[index ..], two words an element. */
  storeUsed(view: MemoryView, offset: number, elements: Uint32Array, index: number, count: number): void
  /** Copies `length` bytes of payload between two views. */
  copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void

  /** A lock taken and given back by a synchronisation strategy: one locked operation each. */
  lock(): void
  unlock(): void
  /** One range lookup in a device IOTLB. */
  iotlbLookup(): void
}
