import { EFAULT } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, type AddressMap, type MappedSpace } from '@vring/memory'
import { piecesMax } from '@vring/virtqueue'

/** A buffer of a request: where the driver has it, and how long it is in bytes. */
export interface RequestBuffer {
  readonly address: number
  readonly length: number
}

/** Guest memory as a request reaches it. */
export interface RequestMemory {
  readonly buffers: AddressMap
  /** Told of what the device wrote. */
  readonly log: { write(address: number, length: number): void }
  /** Absent: nothing bounds the views that are made. */
  readonly space?: MappedSpace
}

/**
 * One chain of a queue, as a device sees it: bytes that the driver has for it, then room for its answer. How the driver
 * has cut them into descriptors says nothing (VirtIO 1.3 section 2.7.4.2), so offsets run over all of them.
 *
 * What it reads may change at any moment: read once, and check the copy.
 */
export class DeviceRequest {
  /** What the used ring gives back. */
  readonly id: number
  /** Ring entries that it takes: 1 in a split ring, its descriptors in a packed one. */
  readonly slots: number
  readonly readable: readonly RequestBuffer[]
  readonly writable: readonly RequestBuffer[]
  /** Bytes that the device may read. */
  readonly readBytes: number
  /** Bytes that the device may write. */
  readonly writeBytes: number
  /** Where its being in flight is noted; -1: nowhere. */
  readonly note: number
  readonly #memory: RequestMemory

  constructor(
    id: number,
    slots: number,
    readable: readonly RequestBuffer[],
    writable: readonly RequestBuffer[],
    memory: RequestMemory,
    note = -1,
  ) {
    this.note = note
    this.id = id
    this.slots = slots
    this.readable = readable
    this.writable = writable
    this.readBytes = sum(readable)
    this.writeBytes = sum(writable)
    this.#memory = memory
  }

  /**
   * Copies what the driver has for the device.
   *
   * @returns 0, or -EFAULT: less than that is there, or its memory is not
   */
  read(offset: number, into: Uint8Array): number {
    const views = this.readViews(offset, into.length)
    if (views === null) return EFAULT
    let done = 0
    for (const view of views) {
      into.set(view, done)
      done += view.length
    }
    return 0
  }

  /**
   * Copies an answer to the driver.
   *
   * @returns 0, or -EFAULT: there is no room for it, or its memory is not there
   */
  write(offset: number, from: Uint8Array): number {
    const views = this.writeViews(offset, from.length)
    if (views === null) return EFAULT
    let done = 0
    for (const view of views) {
      view.set(from.subarray(done, done + view.length))
      done += view.length
    }
    this.wrote(offset, from.length)
    return 0
  }

  /**
   * The driver's bytes where they are, for what reads them in place before the round ends. Null as {@link read}, and
   * for more pieces than pages and buffers make ({@link piecesMax}).
   */
  readViews(offset: number, length: number): Uint8Array[] | null {
    return this.#views(this.readable, this.readBytes, offset, length, ACCESS_READ)
  }

  /** The driver's room where it is. What was written there is told by {@link wrote}; null as {@link write}. */
  writeViews(offset: number, length: number): Uint8Array[] | null {
    return this.#views(this.writable, this.writeBytes, offset, length, ACCESS_WRITE)
  }

  /** Notes what was written in place, for a migration. */
  wrote(offset: number, length: number): void {
    forEachPart(this.writable, offset, length, (address, bytes) => {
      this.#memory.log.write(address, bytes)
      return true
    })
  }

  #views(
    list: readonly RequestBuffer[],
    total: number,
    offset: number,
    length: number,
    access: typeof ACCESS_READ | typeof ACCESS_WRITE,
  ): Uint8Array[] | null {
    if (offset < 0 || length > total - offset) return null
    const { buffers, space } = this.#memory
    // `RequestQueue.take` has made the views. Of memory that was replaced since then one that is not made would be an error
    // that the driver sees.
    if (space !== undefined) space.viewsLeft = Number.POSITIVE_INFINITY
    const views: Uint8Array[] = []
    const most = piecesMax(length)
    const whole = forEachPart(list, offset, length, (address, bytes) => {
      for (let done = 0; done < bytes; done += buffers.span) {
        if (views.length >= most) return false
        const at = buffers.resolveSpan(address + done, bytes - done, access)
        if (at < 0) return false
        views.push(new Uint8Array(buffers.view.buffer, at, buffers.span))
      }
      return true
    })
    return whole ? views : null
  }
}

/** The parts of buffers that [offset, offset + length) of all of them together is; false when `part` said so. */
function forEachPart(
  list: readonly RequestBuffer[],
  offset: number,
  length: number,
  part: (address: number, bytes: number) => boolean,
): boolean {
  let skip = offset
  let left = length
  for (const { address, length: bytes } of list) {
    if (left === 0) break
    if (skip >= bytes) {
      skip -= bytes
      continue
    }
    const take = Math.min(bytes - skip, left)
    if (!part(address + skip, take)) return false
    skip = 0
    left -= take
  }
  return true
}

function sum(list: readonly RequestBuffer[]): number {
  let bytes = 0
  for (const { length } of list) bytes += length
  return bytes
}
