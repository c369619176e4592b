import type { Window } from '@vring/accessor'
import { DESC_BYTES, VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vring/layout'
import { ACCESS_READ, type AddressMap } from '@vring/memory'
import type { RequestBuffer } from './device-request.ts'
import type { PackedDescriptor } from './inflight-packed.ts'

/** A chain that was found by its head. */
export interface FoundChain {
  readonly readable: readonly RequestBuffer[]
  readonly writable: readonly RequestBuffer[]
}

/** Descriptors of the longest chain. Source: Linux UIO_MAXIOV. */
const CHAIN_MAX = 1024

/**
 * The chain that begins at a descriptor of a split ring's table, as `popBatch` reads those that avail entries name: for what
 * is in flight, whose avail entry may be gone. Not for the hot path.
 *
 * @param indirect VIRTIO_F_INDIRECT_DESC is negotiated
 * @returns null when it is malformed or can't be read
 */
export function chainAt(
  desc: Window,
  buffers: AddressMap,
  queueSize: number,
  head: number,
  indirect: boolean,
): FoundChain | null {
  const readable: RequestBuffer[] = []
  const writable: RequestBuffer[] = []
  const words = new Uint32Array(4)
  let load = (index: number): boolean => loadFromTable(desc, index, words)
  let size = queueSize
  let inTable = false
  let index = head
  for (let found = 0; found < Math.min(size, CHAIN_MAX); ) {
    if (index >= size || !load(index)) return null
    const address = words[1]! * 2 ** 32 + words[0]!
    const length = words[2]!
    const flags = words[3]! & 0xffff
    if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
      if (!indirect || inTable || (flags & VIRTQ_DESC_F_NEXT) !== 0 || length === 0 || length % DESC_BYTES !== 0)
        return null
      inTable = true
      size = length / DESC_BYTES
      load = (slot) => loadFromBuffer(buffers, address + DESC_BYTES * slot, words)
      index = 0
      found = 0
      continue
    }
    found++
    if ((flags & VIRTQ_DESC_F_WRITE) !== 0) writable.push({ address, length })
    else if (writable.length > 0) return null
    else readable.push({ address, length })
    if ((flags & VIRTQ_DESC_F_NEXT) === 0) return { readable, writable }
    index = words[3]! >>> 16
  }
  return null
}

/**
 * The chain whose descriptors were noted when it was taken from a packed ring. Not for the hot path.
 *
 * @param indirect VIRTIO_F_INDIRECT_DESC is negotiated
 * @returns null when it is malformed or its indirect table can't be read
 */
export function chainOf(
  descriptors: readonly PackedDescriptor[],
  buffers: AddressMap,
  indirect: boolean,
): FoundChain | null {
  const [first] = descriptors
  if (first === undefined || (first.flags & VIRTQ_DESC_F_INDIRECT) === 0) return chainOfDirect(descriptors)
  const { address, length } = first
  if (!indirect || descriptors.length > 1 || length === 0 || length % DESC_BYTES !== 0) return null
  if (length > DESC_BYTES * CHAIN_MAX) return null
  const words = new Uint32Array(4)
  const table: RingDescriptor[] = []
  for (let at = 0; at < length; at += DESC_BYTES) {
    if (!loadFromBuffer(buffers, address + at, words)) return null
    // Every flag but WRITE, and the buffer id, mean nothing in a table (VirtIO 1.3 section 2.8.7).
    const flags = (words[3]! >>> 16) & VIRTQ_DESC_F_WRITE
    table.push({ address: words[1]! * 2 ** 32 + words[0]!, length: words[2]!, flags })
  }
  return chainOfDirect(table)
}

type RingDescriptor = Pick<PackedDescriptor, 'address' | 'length' | 'flags'>

function chainOfDirect(descriptors: readonly RingDescriptor[]): FoundChain | null {
  const readable: RequestBuffer[] = []
  const writable: RequestBuffer[] = []
  for (const { address, length, flags } of descriptors) {
    if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) return null
    if (length === 0) continue
    if ((flags & VIRTQ_DESC_F_WRITE) !== 0) writable.push({ address, length })
    else if (writable.length > 0) return null
    else readable.push({ address, length })
  }
  return { readable, writable }
}

function loadFromTable(desc: Window, index: number, words: Uint32Array): boolean {
  for (let word = 0; word < 4; word++) {
    const value = desc.load32(DESC_BYTES * index + 4 * word)
    if (value < 0) return false
    words[word] = value
  }
  return true
}

function loadFromBuffer(buffers: AddressMap, address: number, words: Uint32Array): boolean {
  const bytes = new Uint8Array(words.buffer)
  for (let done = 0; done < DESC_BYTES; done += buffers.span) {
    const at = buffers.resolveSpan(address + done, DESC_BYTES - done, ACCESS_READ)
    if (at < 0) return false
    bytes.set(buffers.view.u8.subarray(at, at + buffers.span), done)
  }
  return true
}
