import { VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vring/layout'
import type { ChainBatch } from '@vring/virtqueue'
import type { PackedDescriptor } from './inflight-packed.ts'

/**
 * The descriptors of a packed ring that a chain took, for the area of requests in flight: the ring's may be written over
 * before the chain is done. Made of what was fetched, not of the ring, which the driver may have changed since. A chain of
 * more buffers than descriptors is one descriptor with an indirect table, which the area names and the driver keeps.
 */
export function packedDescriptors(batch: ChainBatch, chain: number): PackedDescriptor[] {
  const id = batch.idOf(chain)
  const slots = batch.slots[chain]!
  const [first, writable, end] = [batch.segStart[chain]!, batch.writeStart[chain]!, batch.segStart[chain + 1]!]
  if (end - first > slots) {
    const [low, high, length, rest] = batch.descriptor.subarray(4 * chain, 4 * chain + 4)
    return [{ address: high! * 2 ** 32 + low!, length: length!, id, flags: rest! >>> 16 }]
  }
  const found: PackedDescriptor[] = []
  for (let slot = 0; slot < slots; slot++) {
    const segment = first + slot
    const next = slot + 1 < slots ? VIRTQ_DESC_F_NEXT : 0
    // Descriptors of no bytes leave no segment, and are noted last, of the kind of the last one.
    const [address, length] = segment < end ? [batch.address[segment]!, batch.length[segment]!] : [0, 0]
    found.push({ address, length, id, flags: next | (segment >= writable && writable < end ? VIRTQ_DESC_F_WRITE : 0) })
  }
  return found
}
