import {
  AREAS,
  DESC_BYTES,
  DESC_FLAGS_OFFSET,
  ETH_HEADER_BYTES,
  NET_HDR_MRG_BYTES,
  PACKED_DESC_BYTES,
  PACKED_DESC_FLAGS_OFFSET,
  VIRTQ_DESC_F_NEXT,
  VringError,
} from '@vring/layout'
import { ACCESS_WRITE, type AddressMap, type PagedSpace } from '@vring/memory'
import { type DriverBuffer, type DriverQueue, encodeIndirectTable, SplitDriverQueue } from '@vring/virtqueue'
import type { ChainShape, ConcurrentAction } from './action.ts'
import { bufferAddress, GUEST_BASE, QUEUE_SIZE, type RingFormat, ringAt, tableAddress, USER_BASE } from './layout.ts'
import type { Happening } from './moment.ts'

/** Bytes of a frame without FCS. */
const FRAME_BYTES = 60
const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_OFFSET = 12
const IPV4_WITHOUT_OPTIONS = 0x45
const PROTOCOL_OFFSET = ETH_HEADER_BYTES + 9
const PROTOCOL_UDP = 17
const IPV4_HEADER_BYTES = 20

type DriverAction = Extract<ConcurrentAction, { kind: 'add' | 'publish' | 'take-used' }>

/** What the guest's driver does, told as it does it. */
export class DriverActions {
  readonly #queue: DriverQueue
  readonly #format: RingFormat
  readonly #space: PagedSpace
  readonly #memory: AddressMap
  /** Chains added so far: each has a buffer of its own, by turns. */
  #added = 0
  /** Of them, those that are not published. */
  #waiting = 0

  constructor(queue: DriverQueue, format: RingFormat, space: PagedSpace, memory: AddressMap) {
    this.#queue = queue
    this.#format = format
    this.#space = space
    this.#memory = memory
  }

  /** @throws VringError ERR_OUT_OF_RANGE when memory that the driver touches is not there or not writable */
  perform(action: DriverAction): Happening {
    this.#checkRing()
    switch (action.kind) {
      case 'add':
        return this.#add(action.shape)
      case 'publish':
        return this.#publish()
      case 'take-used':
        return this.#takeUsed()
    }
  }

  /** A guest that touches memory which its process has lost dies; here it says so. */
  #checkRing(): void {
    const ring = ringAt(GUEST_BASE, this.#format)
    for (const area of AREAS) {
      const { address, length } = ring[area]
      if (this.#memory.resolve(address, length, ACCESS_WRITE) < 0)
        throw new VringError('ERR_OUT_OF_RANGE', `the guest faults: its ${area} area is not there, or not writable`)
    }
  }

  #add(shape: ChainShape): Happening {
    const buffer = this.#added % QUEUE_SIZE
    const address = bufferAddress(buffer)
    const bytes = NET_HDR_MRG_BYTES + FRAME_BYTES
    this.#write(address, frame())
    const head = this.#addChain(shape, address, bytes, buffer)
    if (head < 0)
      return { actor: 'driver', title: 'finds too few free descriptors', detail: 'take used buffers back', fault: true }
    this.#added++
    this.#waiting++
    const what = {
      buffer: `one buffer of ${bytes} bytes`,
      chain: 'a chain of three: header, headers of the frame, rest',
      indirect: 'one descriptor that names a table of two',
      loop: `a chain that ${this.#format === 'packed' ? 'has no end' : 'leads back into itself'}: a hostile driver`,
    }[shape]
    return { actor: 'driver', title: `adds chain ${head}`, detail: `${what}; not published yet` }
  }

  #addChain(shape: ChainShape, address: number, bytes: number, buffer: number): number {
    // Header of virtio-net, headers of the frame, the rest.
    const ipHeaders = ETH_HEADER_BYTES + IPV4_HEADER_BYTES
    const pieces = (...lengths: number[]): DriverBuffer[] => {
      let at = address
      return lengths.map((length) => {
        const piece = { address: at, length }
        at += length
        return piece
      })
    }
    switch (shape) {
      case 'buffer':
        return this.#queue.addOne(address, bytes, false)
      case 'chain':
        return this.#queue.add(pieces(NET_HDR_MRG_BYTES, ipHeaders, bytes - NET_HDR_MRG_BYTES - ipHeaders))
      case 'indirect': {
        const table = tableAddress(buffer)
        const entries = pieces(NET_HDR_MRG_BYTES, bytes - NET_HDR_MRG_BYTES)
        this.#write(table, encodeIndirectTable(this.#format, entries))
        return this.#queue.addIndirect(table, entries.length)
      }
      case 'loop': {
        if (this.#format === 'packed') return this.#addEndless(address)
        const head = this.#queue.addOne(address, bytes, false)
        if (head >= 0)
          this.#queue.windows.desc.store32(DESC_BYTES * head + DESC_FLAGS_OFFSET, VIRTQ_DESC_F_NEXT | (head << 16))
        return head
      }
    }
  }

  /** A packed chain that takes the whole ring, and whose last descriptor says that another one follows. */
  #addEndless(address: number): number {
    const queue = this.#queue
    const pieces = Array.from({ length: QUEUE_SIZE }, (_, index) => ({ address: address + index, length: 1 }))
    const id = queue.add(pieces)
    if (id < 0) return id
    const { desc } = queue.windows
    const last = PACKED_DESC_BYTES * ((this.#firstSlot() + QUEUE_SIZE - 1) % QUEUE_SIZE) + PACKED_DESC_FLAGS_OFFSET
    desc.store16(last, desc.load16(last) | VIRTQ_DESC_F_NEXT)
    return id
  }

  /** Slot that the first chain of an empty packed ring has. */
  #firstSlot(): number {
    return this.#queue.base & 0x7fff
  }

  #publish(): Happening {
    const queue = this.#queue
    const waiting = this.#waiting
    queue.publish()
    this.#waiting = 0
    const split = queue instanceof SplitDriverQueue
    const kick = queue.needsKick()
    const chains = `${waiting} ${waiting === 1 ? 'chain' : 'chains'}`
    return {
      actor: 'driver',
      title: split ? `publishes avail.idx = ${queue.availIdx}` : `publishes ${chains}: the flags of the first, last`,
      detail: kick
        ? `${split ? 'avail_event' : 'the device event'} asks for a kick`
        : 'no kick: the device did not ask for one',
    }
  }

  #takeUsed(): Happening {
    const taken = this.#queue.reclaim()
    this.#queue.setNotification(true)
    return {
      actor: 'driver',
      title: taken === 0 ? 'finds nothing used' : `takes ${taken} used ${taken === 1 ? 'chain' : 'chains'} back`,
      detail:
        this.#queue instanceof SplitDriverQueue
          ? `used_event = ${this.#queue.lastUsed}: notify at the next one`
          : `driver event: notify when slot ${this.#queue.base & 0x7fff} is used`,
    }
  }

  #write(guestAddress: number, bytes: Uint8Array): void {
    this.#space.write(guestAddress - GUEST_BASE + USER_BASE, bytes)
  }
}

/** virtio-net header and a UDP frame, as far as xdp1 looks at it. */
function frame(): Uint8Array {
  const bytes = new Uint8Array(NET_HDR_MRG_BYTES + FRAME_BYTES)
  const view = new DataView(bytes.buffer, NET_HDR_MRG_BYTES)
  view.setUint16(ETHERTYPE_OFFSET, ETHERTYPE_IPV4)
  view.setUint8(ETH_HEADER_BYTES, IPV4_WITHOUT_OPTIONS)
  view.setUint8(PROTOCOL_OFFSET, PROTOCOL_UDP)
  return bytes
}
