import type { FlatQueue } from './flat-queue.ts'
import { type DescriptorWords, writeDescriptor } from './write-descriptor.ts'

/** Writes a descriptor of the descriptor area, whatever it says. */
export function descriptor(
  q: FlatQueue,
  index: number,
  address: number,
  length: number,
  flags: number,
  next = 0,
): void {
  const { desc } = q.raw
  desc.store32(16 * index, address >>> 0)
  desc.store32(16 * index + 4, Math.floor(address / 2 ** 32))
  desc.store32(16 * index + 8, length)
  desc.store32(16 * index + 12, (flags | (next << 16)) >>> 0)
}

/** Writes an indirect table at `at`. */
export function table({ space }: FlatQueue, at: number, entries: readonly DescriptorWords[]): void {
  for (const [i, words] of entries.entries()) writeDescriptor(space.view.buffer, at + 16 * i, words)
}

/** Makes chains with these heads available. */
export function expose(q: FlatQueue, ...heads: number[]): void {
  heads.forEach((head, i) => {
    q.raw.driver.store16(4 + 2 * ((q.device.base + i) % q.ring.queueSize), head)
  })
  q.raw.driver.store16Release(2, (q.device.base + heads.length) & 0xffff)
}
