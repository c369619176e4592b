import {
  PACKED_DESC_ADDR_OFFSET,
  PACKED_DESC_ALIGN,
  PACKED_DESC_BYTES,
  PACKED_DESC_FLAGS_OFFSET,
  PACKED_DESC_ID_OFFSET,
  PACKED_DESC_LEN_OFFSET,
  PACKED_EVENT_BYTES,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import { fail } from '../case.ts'
import type { BufferPiece, DriverRing, Interrupts, Used } from './driver-ring.ts'
import { PAGE_BYTES, type SharedMemory } from './shared-memory.ts'
import type { RingOptions } from './split-ring.ts'

/** A place in a packed ring: an index, and the wrap counter of this round. */
interface Place {
  index: number
  wrap: boolean
}

/** A packed virtqueue (VirtIO 1.3 section 2.8), its driver's half. Each area has pages of its own. */
export class PackedRing implements DriverRing {
  readonly format = 'packed'
  readonly memory: SharedMemory
  readonly size: number
  readonly desc: number
  readonly driver: number
  readonly device: number
  readonly eventIdx: boolean
  /** Descriptors of each chain in flight, by its buffer id. */
  readonly #chains = new Map<number, number>()
  readonly #ids: number[]
  /** First descriptors that are written and not made available yet: where, and with which flags. */
  #heads: { at: number; flags: number }[] = []
  readonly #next: Place
  readonly #used: Place
  #room: number

  constructor(memory: SharedMemory, size: number, { eventIdx = false, start = 0 }: RingOptions = {}) {
    this.memory = memory
    this.size = size
    this.eventIdx = eventIdx
    this.desc = memory.take(PACKED_DESC_BYTES * size, Math.max(PACKED_DESC_ALIGN, PAGE_BYTES))
    this.driver = memory.take(PACKED_EVENT_BYTES, PAGE_BYTES)
    this.device = memory.take(PACKED_EVENT_BYTES, PAGE_BYTES)
    this.#ids = Array.from({ length: size }, (_, id) => id)
    this.#next = { index: start, wrap: true }
    this.#used = { index: start, wrap: true }
    this.#room = size
  }

  get inFlight(): number {
    return this.#chains.size
  }

  get room(): number {
    return this.#room
  }

  /** Available index and wrap counter in the lower half, used ones in the upper: both where the driver reads on. */
  get base(): number {
    const { index, wrap } = this.#used
    const half = index | (wrap ? 0x8000 : 0)
    return (half | (half << 16)) >>> 0
  }

  add(chain: readonly BufferPiece[], indirect = false): number {
    const count = indirect ? 1 : chain.length
    if (count > this.#room) fail(`the judge's own ring has no room for ${count} descriptors`)
    const id = this.#ids.shift()!
    const pieces = indirect ? [this.#indirectTable(chain)] : chain
    for (const [at, piece] of pieces.entries()) {
      const flags =
        (piece.writable ? VIRTQ_DESC_F_WRITE : 0) |
        (at + 1 < pieces.length ? VIRTQ_DESC_F_NEXT : 0) |
        (indirect ? VIRTQ_DESC_F_INDIRECT : 0)
      this.writeNext(piece.address, piece.length, id, flags, at > 0)
    }
    this.#chains.set(id, count)
    return id
  }

  /** Any descriptor at the next place. `now`: its flags as well; else {@link publish} writes them. */
  writeNext(address: number | bigint, length: number, id: number, flags: number, now = false): void {
    const { view } = this.memory
    const at = this.desc + PACKED_DESC_BYTES * this.#next.index
    view.setBigUint64(at + PACKED_DESC_ADDR_OFFSET, BigInt.asUintN(64, BigInt(address)), true)
    view.setUint32(at + PACKED_DESC_LEN_OFFSET, length, true)
    view.setUint16(at + PACKED_DESC_ID_OFFSET, id, true)
    const all = flags | (this.#next.wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED)
    if (now) this.memory.store16(at + PACKED_DESC_FLAGS_OFFSET, all)
    else this.#heads.push({ at, flags: all })
    this.#room--
    advance(this.#next, 1, this.size)
  }

  publish(): void {
    // The first one last: the device stops at it and sees all or nothing of a batch.
    for (const { at, flags } of this.#heads.reverse()) this.memory.store16(at + PACKED_DESC_FLAGS_OFFSET, flags)
    this.#heads = []
  }

  take(): Used | null {
    const at = this.desc + PACKED_DESC_BYTES * this.#used.index
    const flags = this.memory.load16(at + PACKED_DESC_FLAGS_OFFSET)
    const avail = (flags & VIRTQ_DESC_F_AVAIL) !== 0
    const used = (flags & VIRTQ_DESC_F_USED) !== 0
    if (avail !== used || used !== this.#used.wrap) return null
    const id = this.memory.view.getUint16(at + PACKED_DESC_ID_OFFSET, true)
    const length = this.memory.view.getUint32(at + PACKED_DESC_LEN_OFFSET, true)
    const count = this.#chains.get(id)
    if (count === undefined) fail(`used descriptor ${this.#used.index} has id ${id}, of no buffer that is in flight`)
    this.#chains.delete(id)
    this.#ids.push(id)
    this.#room += count
    advance(this.#used, count, this.size)
    return { id, length: (flags & VIRTQ_DESC_F_WRITE) !== 0 ? length : 0 }
  }

  wantInterrupts(when: Interrupts): void {
    const place = { ...this.#used }
    if (typeof when === 'object') advance(place, when.after, this.size)
    const flags =
      when === 'never'
        ? RING_EVENT_FLAGS_DISABLE
        : when === 'always' || !this.eventIdx
          ? RING_EVENT_FLAGS_ENABLE
          : RING_EVENT_FLAGS_DESC
    this.memory.store16(this.driver, place.index | (place.wrap ? 0x8000 : 0))
    this.memory.store16(this.driver + 2, flags)
  }

  wantsKick(): boolean {
    return (this.memory.load16(this.device + 2) & 3) !== RING_EVENT_FLAGS_DISABLE
  }

  #indirectTable(chain: readonly BufferPiece[]): BufferPiece {
    const { memory } = this
    const table = memory.take(PACKED_DESC_BYTES * chain.length, PACKED_DESC_ALIGN)
    for (const [index, { address, length, writable }] of chain.entries()) {
      const at = table + PACKED_DESC_BYTES * index
      memory.view.setBigUint64(at + PACKED_DESC_ADDR_OFFSET, BigInt(address), true)
      memory.view.setUint32(at + PACKED_DESC_LEN_OFFSET, length, true)
      memory.view.setUint16(at + PACKED_DESC_FLAGS_OFFSET, writable ? VIRTQ_DESC_F_WRITE : 0, true)
    }
    return { address: memory.guest(table), length: PACKED_DESC_BYTES * chain.length, writable: false }
  }
}

function advance(place: Place, count: number, size: number): void {
  place.index += count
  if (place.index < size) return
  place.index -= size
  place.wrap = !place.wrap
}
