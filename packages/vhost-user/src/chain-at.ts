import type { Window } from '@vring/accessor'
import { DESC_BYTES, EAGAIN, EFAULT, VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vring/layout'
import { ACCESS_READ, type AddressMap, work } from '@vring/memory'
import { CHAIN_DESCRIPTORS_MAX } from '@vring/virtqueue'
import type { RequestBuffer } from './device-request.ts'
import type { PackedDescriptor } from './inflight-packed.ts'

/** A chain that was found by its head. */
export interface FoundChain {
  readonly readable: readonly RequestBuffer[]
  readonly writable: readonly RequestBuffer[]
}

/** Units of work of a descriptor that is read here: as long as four that `popBatch` reads. */
const FOUND_WORK = 4

/** No chain now: `malformed`, or `miss` where a translation is missing that was asked for. */
export type NoChain = 'malformed' | 'miss'

/**
 * The chain that begins at a descriptor of a split ring's table, as `popBatch` reads those that avail entries name: for what
 * is in flight, whose avail entry may be gone. Not for the hot path.
 *
 * @param indirect VIRTIO_F_INDIRECT_DESC is negotiated
 * @returns `malformed` when it can't be read, too
 */
export function chainAt(
  desc: Window,
  buffers: AddressMap,
  queueSize: number,
  head: number,
  indirect: boolean,
): FoundChain | NoChain {
  const chain = new Chain()
  const words = new Uint32Array(4)
  let load = (index: number): number => loadFromTable(desc, index, words)
  let size = queueSize
  let inTable = false
  let index = head
  for (let found = 0; found < Math.min(size, CHAIN_DESCRIPTORS_MAX); ) {
    if (index >= size) return 'malformed'
    work.charge(FOUND_WORK)
    const status = load(index)
    if (status < 0) return noChain(status)
    const address = words[1]! * 2 ** 32 + words[0]!
    const length = words[2]!
    const flags = words[3]! & 0xffff
    if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
      if (!indirect || inTable || (flags & VIRTQ_DESC_F_NEXT) !== 0 || length === 0 || length % DESC_BYTES !== 0)
        return 'malformed'
      inTable = true
      size = length / DESC_BYTES
      load = (slot) => loadFromBuffer(buffers, address + DESC_BYTES * slot, words)
      index = 0
      found = 0
      continue
    }
    found++
    if (!chain.take({ address, length, flags })) return 'malformed'
    if ((flags & VIRTQ_DESC_F_NEXT) === 0) return chain
    index = words[3]! >>> 16
  }
  return 'malformed'
}

/**
 * The chain whose descriptors were noted when it was taken from a packed ring. Not for the hot path.
 *
 * @param indirect VIRTIO_F_INDIRECT_DESC is negotiated
 * @returns `malformed` when its indirect table can't be read, too
 */
export function chainOf(
  descriptors: readonly PackedDescriptor[],
  buffers: AddressMap,
  indirect: boolean,
): FoundChain | NoChain {
  const [first] = descriptors
  work.charge(descriptors.length)
  if (descriptors.length > CHAIN_DESCRIPTORS_MAX) return 'malformed'
  if (first === undefined || (first.flags & VIRTQ_DESC_F_INDIRECT) === 0) return chainOfDirect(descriptors)
  const { address, length } = first
  if (!indirect || descriptors.length > 1 || length === 0 || length % DESC_BYTES !== 0) return 'malformed'
  if (length > DESC_BYTES * CHAIN_DESCRIPTORS_MAX) return 'malformed'
  const words = new Uint32Array(4)
  const table: RingDescriptor[] = []
  for (let at = 0; at < length; at += DESC_BYTES) {
    work.charge(FOUND_WORK)
    const status = loadFromBuffer(buffers, address + at, words)
    if (status < 0) return noChain(status)
    // Every flag but WRITE, and the buffer id, mean nothing in a table (VirtIO 1.3 section 2.8.7).
    const flags = (words[3]! >>> 16) & VIRTQ_DESC_F_WRITE
    table.push({ address: words[1]! * 2 ** 32 + words[0]!, length: words[2]!, flags })
  }
  return chainOfDirect(table)
}

type RingDescriptor = Pick<PackedDescriptor, 'address' | 'length' | 'flags'>

function chainOfDirect(descriptors: readonly RingDescriptor[]): FoundChain | NoChain {
  const chain = new Chain()
  for (const one of descriptors) if ((one.flags & VIRTQ_DESC_F_INDIRECT) !== 0 || !chain.take(one)) return 'malformed'
  return chain
}

/** The buffers of a chain, by the rules of `popBatch`: empty descriptors make none, and none is readable after a writable one. */
class Chain implements FoundChain {
  readonly readable: RequestBuffer[] = []
  readonly writable: RequestBuffer[] = []
  #writes = false

  /** False where it is readable after a writable one. */
  take({ address, length, flags }: RingDescriptor): boolean {
    if ((flags & VIRTQ_DESC_F_WRITE) !== 0) this.#writes = true
    else if (this.#writes) return false
    if (length > 0) (this.#writes ? this.writable : this.readable).push({ address, length })
    return true
  }
}

function noChain(status: number): NoChain {
  return status === EAGAIN ? 'miss' : 'malformed'
}

function loadFromTable(desc: Window, index: number, words: Uint32Array): number {
  return desc.loadWords(DESC_BYTES * index, words, 0, 4)
}

function loadFromBuffer(buffers: AddressMap, address: number, words: Uint32Array): number {
  const bytes = new Uint8Array(words.buffer)
  for (let done = 0; done < DESC_BYTES; done += buffers.span) {
    const at = buffers.resolveSpan(address + done, DESC_BYTES - done, ACCESS_READ)
    if (at < 0) return at === EAGAIN ? EAGAIN : EFAULT
    bytes.set(buffers.view.u8.subarray(at, at + buffers.span), done)
  }
  return 0
}
