import { plainCpu } from '@vring/accessor'
import { DESC_BYTES, type RingAreas, USED_IDX_OFFSET } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE } from '@vring/memory'
import { type DriverBuffer, type DriverQueue, encodeIndirectTable } from '@vring/virtqueue'
import type { FrontendQueue } from './frontend.ts'
import type { FrontendMemory } from './frontend-memory.ts'

/** A request that the device has given back. */
export interface DriverAnswer {
  /** What {@link DriverRing.send} gave for it. */
  readonly token: number
  /** Bytes that the device says it wrote. */
  readonly length: number
  /** A copy of its room, as much as the device wrote. */
  readonly bytes: Uint8Array
}

/** How {@link DriverRing.send} cuts a request into descriptors. */
export interface SendOptions {
  /** The last byte of its room is a descriptor of its own, as block drivers have it. Default false. */
  readonly status?: boolean
  /**
   * Its descriptors are in an indirect table, which takes 16 bytes of its slot for each. Needs INDIRECT_DESC. Default
   * false.
   */
  readonly indirect?: boolean
}

/** Where a {@link DriverRing} is. */
export interface DriverRingPlace {
  readonly ring: RingAreas
  readonly userRing: RingAreas
  /** Guest address of the first slot. */
  readonly at: number
  /** How many requests may be under way. */
  readonly slots: number
  readonly slotBytes: number
}

/**
 * One ring of a driver, with buffers: requests are bytes that the device reads, and room that it writes. Each has a slot of
 * its own; what does not fit into one is refused.
 */
export class DriverRing {
  readonly index: number
  /** By guest addresses. */
  readonly ring: RingAreas
  /** By user addresses. */
  readonly userRing: RingAreas
  readonly queue: DriverQueue
  /** The two signals, while the ring runs. */
  signals: FrontendQueue | null = null
  readonly #memory: FrontendMemory
  /** Guest address of the first slot. */
  readonly #at: number
  readonly #slotBytes: number
  readonly #free: number[]
  /** By the chain's id: its slot, the room and where that begins. */
  readonly #sent = new Map<number, { readonly slot: number; readonly roomAt: number; readonly room: number }>()

  constructor(index: number, queue: DriverQueue, memory: FrontendMemory, place: DriverRingPlace) {
    const { ring, userRing, at, slots, slotBytes } = place
    this.index = index
    this.ring = ring
    this.userRing = userRing
    this.queue = queue
    this.#memory = memory
    this.#at = at
    this.#slotBytes = slotBytes
    this.#free = Array.from({ length: slots }, (_, slot) => slots - 1 - slot)
  }

  /**
   * Where a device goes on that takes the place of another. Split: the used index that the other left. Packed: what the
   * driver has seen.
   */
  get base(): number {
    if (this.userRing.format === 'packed') return this.queue.base
    const { space } = this.#memory
    const at = space.resolve(this.userRing.device.address + USED_IDX_OFFSET, 2, ACCESS_READ)
    return Atomics.load(space.view.u16, at >>> 1)
  }

  /** Requests that the device has. */
  get pending(): number {
    return this.#sent.size
  }

  /**
   * Makes a request available; the device sees it with {@link kick}.
   *
   * @param parts bytes that the device reads, one descriptor each
   * @param room bytes that the device may write
   * @returns a token, or -1: every slot is under way
   * @throws RangeError when it is longer than a slot
   */
  send(parts: readonly Uint8Array[], room = 0, { status = false, indirect = false }: SendOptions = {}): number {
    const last = status && room > 1 ? 1 : 0
    const count = parts.length + (room > last ? 1 : 0) + last
    const tableBytes = indirect ? DESC_BYTES * count : 0
    const bytes = parts.reduce((sum, part) => sum + part.length, room + tableBytes)
    if (bytes > this.#slotBytes)
      throw new RangeError(`a request of ${bytes} bytes; accepted: at most ${this.#slotBytes} (slotBytes)`)
    const slot = this.#free.pop()
    if (slot === undefined) return -1
    const tableAt = this.#at + slot * this.#slotBytes
    let at = tableAt + tableBytes
    const buffers: DriverBuffer[] = []
    for (const part of parts) {
      this.#copyIn(at, part)
      buffers.push({ address: at, length: part.length })
      at += part.length
    }
    const roomAt = at
    if (room > last) buffers.push({ address: at, length: room - last, writable: true })
    if (last > 0) buffers.push({ address: at + room - last, length: last, writable: true })
    if (indirect) this.#copyIn(tableAt, encodeIndirectTable(this.userRing.format, buffers))
    const token = indirect ? this.queue.addIndirect(tableAt, count) : this.queue.add(buffers)
    if (token < 0) this.#free.push(slot)
    else this.#sent.set(token, { slot, roomAt, room })
    return token
  }

  /** Publishes what was sent, and tells the device if it wants to know. */
  kick(): void {
    this.queue.publish()
    if (this.queue.needsKick()) this.signals?.kick.signal()
  }

  /** The next request that came back; null: none has, and the device signals the one that does. */
  receive(): DriverAnswer | null {
    if (!this.queue.getUsed()) {
      this.queue.setNotification(true)
      // Orders the store of used_event before the load of the used index, as the device orders theirs: one sees the other's.
      plainCpu.mb()
      if (!this.queue.getUsed()) return null
    }
    const token = this.queue.usedId
    const sent = this.#sent.get(token)
    if (sent === undefined)
      throw new Error(`queue ${this.index}: the device gave back ${token}, which it does not have`)
    this.#sent.delete(token)
    this.#free.push(sent.slot)
    const length = this.queue.usedLength
    return { token, length, bytes: this.#copyOut(sent.roomAt, Math.min(length, sent.room)) }
  }

  #copyIn(address: number, bytes: Uint8Array): void {
    const { space } = this.#memory
    for (let done = 0; done < bytes.length; done += space.span) {
      const at = space.resolveSpan(this.#userAddress(address + done), bytes.length - done, ACCESS_WRITE)
      space.view.u8.set(bytes.subarray(done, done + space.span), at)
    }
  }

  #copyOut(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    const { space } = this.#memory
    for (let done = 0; done < length; done += space.span) {
      const at = space.resolveSpan(this.#userAddress(address + done), length - done, ACCESS_READ)
      bytes.set(space.view.u8.subarray(at, at + space.span), done)
    }
    return bytes
  }

  #userAddress(guestAddress: number): number {
    const { region } = this.#memory
    return region.userAddress + (guestAddress - region.guestAddress)
  }
}
