import { DESC_BYTES } from '@vring/layout'
import type { Access, AddressMap, MemoryView } from '@vring/memory'
import type { Cpu } from './cpu.ts'
import { PLAIN_FLAGS, type PlainChains } from './plain-chains.ts'

/**
 * A port that has something to say about each load, such as one that counts: the loads of many chains at once are its own
 * single ones, in order.
 */
export abstract class OneByOneCpu implements Cpu {
  abstract stac(): void
  abstract clac(): void
  abstract lfence(): void
  abstract mb(): void
  abstract checkLimit(address: number, length: number, limit: number): boolean
  abstract predict(condition: boolean): boolean
  abstract mask(value: number, limit: number): number
  abstract translate(map: AddressMap, address: number, length: number, access: Access): number
  abstract load16(view: MemoryView, offset: number): number
  abstract load16Acquire(view: MemoryView, offset: number): number
  abstract load32(view: MemoryView, offset: number): number
  abstract loadDescriptor(view: MemoryView, offset: number, out: Uint32Array, index: number): void
  abstract store16(view: MemoryView, offset: number, value: number): void
  abstract store16Release(view: MemoryView, offset: number, value: number): void
  abstract store32(view: MemoryView, offset: number, value: number): void
  abstract storeUsed(view: MemoryView, offset: number, elements: Uint32Array, index: number, count: number): void
  abstract copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void
  abstract lock(): void
  abstract unlock(): void
  abstract iotlbLookup(): void

  load16Batch(view: MemoryView, offset: number, out: Uint16Array, index: number, count: number): void {
    for (let i = 0; i < count; i++) out[index + i] = this.load16(view, offset + 2 * i)
  }

  loadDescriptorBatch(
    view: MemoryView,
    offset: number,
    slots: Uint16Array,
    out: Uint32Array,
    index: number,
    count: number,
  ): void {
    for (let i = index; i < index + count; i++) this.loadDescriptor(view, offset + DESC_BYTES * slots[i]!, out, 4 * i)
  }

  loadPlain(
    avail: MemoryView,
    entry: number,
    desc: MemoryView,
    table: number,
    count: number,
    queueSize: number,
    out: PlainChains,
    index: number,
  ): number {
    const words = new Uint32Array(4)
    for (let i = 0; i < count; i++) {
      const head = this.load16(avail, entry + 2 * i)
      if (!this.predict(head < queueSize)) return i
      this.loadDescriptor(desc, table + DESC_BYTES * head, words, 0)
      const [low, high, length, flags] = words as unknown as [number, number, number, number]
      if ((flags & PLAIN_FLAGS) !== out.flags || length === 0) return i
      out.used[2 * (index + i)] = head
      out.address[index + i] = high * 0x1_0000_0000 + low
      out.length[index + i] = length
    }
    return count
  }
}
