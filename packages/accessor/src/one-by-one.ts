import { DESC_BYTES } from '@vring/layout'
import type { MemoryView } from '@vring/memory'
import type { Cpu } from './cpu.ts'
import { PLAIN_FLAGS, type PlainChains } from './plain-chains.ts'

/** {@link Cpu.load16Batch} by the port's own `load16`: for a port that has something to say about each load. */
export function load16OneByOne(
  cpu: Cpu,
  view: MemoryView,
  offset: number,
  out: Uint16Array,
  index: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) out[index + i] = cpu.load16(view, offset + 2 * i)
}

/** {@link Cpu.loadDescriptorBatch} by the port's own `loadDescriptor`. */
export function loadDescriptorOneByOne(
  cpu: Cpu,
  view: MemoryView,
  offset: number,
  slots: Uint16Array,
  out: Uint32Array,
  index: number,
  count: number,
): void {
  for (let i = index; i < index + count; i++) cpu.loadDescriptor(view, offset + DESC_BYTES * slots[i]!, out, 4 * i)
}

/** {@link Cpu.loadPlain} by the port's own `load16`, `predict` and `loadDescriptor`. */
export function loadPlainOneByOne(
  cpu: Cpu,
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
    const head = cpu.load16(avail, entry + 2 * i)
    if (!cpu.predict(head < queueSize)) return i
    cpu.loadDescriptor(desc, table + DESC_BYTES * head, words, 0)
    const [low, high, length, flags] = words as unknown as [number, number, number, number]
    if ((flags & PLAIN_FLAGS) !== out.flags || length === 0) return i
    out.used[2 * (index + i)] = head
    out.address[index + i] = high * 0x1_0000_0000 + low
    out.length[index + i] = length
  }
  return count
}
