import type { FlatQueue } from './flat-queue.ts'

/** Writes a descriptor of the first lap as it stands, flags last. */
export function descriptor(
  q: FlatQueue,
  slot: number,
  address: number,
  length: number,
  flags: number,
  id = slot,
): void {
  const { desc } = q.raw
  desc.store32(16 * slot, address >>> 0)
  desc.store32(16 * slot + 4, Math.floor(address / 2 ** 32))
  desc.store32(16 * slot + 8, length)
  desc.store16(16 * slot + 12, id)
  desc.store16Release(16 * slot + 14, flags)
}

/** Flags of a descriptor as they stand. */
export function flagsAt(q: FlatQueue, slot: number): number {
  return q.raw.desc.load16(16 * slot + 14)
}
