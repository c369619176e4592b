import { plainCpu, type Window } from '@vring/accessor'
import {
  type Area,
  checkPackedQueueSize,
  hasFeature,
  needEvent,
  PACKED_DESC_BYTES,
  PACKED_DESC_FLAGS_OFFSET,
  PACKED_DESC_ID_OFFSET,
  PACKED_DESC_LEN_OFFSET,
  PACKED_EVENT_FLAGS_OFFSET,
  PACKED_EVENT_OFF_WRAP_OFFSET,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
  refused,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import { checkRing } from '../check-ring.ts'
import type { DriverBuffer, DriverQueue, DriverQueueOptions } from '../driver-queue.ts'
import { guestWindows } from '../guest-window.ts'
import { availFlags, isUsed } from './packed-position.ts'

/**
 * The driver side of a packed virtqueue (VirtIO 1.3 sections 2.8.13, 2.8.21). Buffer ids are those of a free list, so that
 * they differ from the slots as soon as chains come back out of order.
 */
export class PackedDriverQueue implements DriverQueue {
  readonly queueSize: number
  readonly windows: Readonly<Record<Area, Window>>
  freeCount: number
  usedId = 0
  usedLength = 0

  private readonly eventIdx: boolean
  private readonly inOrder: boolean
  private nextAvail = 0
  private availWrap = 1
  private nextUsed = 0
  private usedWrap = 1
  /** Free buffer ids, a stack. */
  private readonly freeIds: Uint16Array
  private freeIdCount: number
  /** Ring entries of the chain of each id. */
  private readonly chainLength: Uint16Array
  /** Id of the chain that begins at each slot. */
  private readonly idAt: Uint16Array
  /** First descriptor of what was added and not published, or -1, and its flags. */
  private firstSlot = -1
  private firstFlags = 0
  /** Ring entries added since the last {@link needsKick}. */
  private added = 0
  /** In order: the id that the last used descriptor named, while chains before it are not taken back; else -1. */
  private batchEnd = -1
  private batchLength = 0

  /** @throws VringError ERR_INVALID_ARGUMENT for a ring that is not of the negotiated features */
  constructor(options: DriverQueueOptions) {
    const { ring, memory, features, pinned = false } = options
    checkRing(ring, features, 'packed')
    checkPackedQueueSize(ring.queueSize)
    this.queueSize = ring.queueSize
    this.eventIdx = hasFeature(features, VIRTIO_F_EVENT_IDX)
    this.inOrder = hasFeature(features, VIRTIO_F_IN_ORDER)
    this.windows = guestWindows(memory, ring, pinned)
    this.freeCount = ring.queueSize
    this.freeIds = Uint16Array.from({ length: ring.queueSize }, (_, index) => ring.queueSize - 1 - index)
    this.freeIdCount = ring.queueSize
    this.chainLength = new Uint16Array(ring.queueSize)
    this.idAt = new Uint16Array(ring.queueSize)
  }

  /** Available and used positions are those of a device that has used all that it took. */
  get base(): number {
    const used = this.nextUsed | (this.usedWrap << 15)
    return (used | (used << 16)) >>> 0
  }

  addOne(address: number, length: number, writable: boolean): number {
    if (this.freeCount === 0) return -1
    return this.addChain(1, () => this.store(address, length, writable ? VIRTQ_DESC_F_WRITE : 0))
  }

  add(buffers: readonly DriverBuffer[]): number {
    if (buffers.length === 0) throw refused('ERR_INVALID_ARGUMENT', 'buffers.length', 0, 'one buffer or more')
    if (buffers.length > this.freeCount) return -1
    return this.addChain(buffers.length, (index) => {
      const { address, length, writable = false } = buffers[index]!
      const next = index < buffers.length - 1 ? VIRTQ_DESC_F_NEXT : 0
      this.store(address, length, (writable ? VIRTQ_DESC_F_WRITE : 0) | next)
    })
  }

  addIndirect(tableAddress: number, entries: number): number {
    if (this.freeCount === 0) return -1
    return this.addChain(1, () => this.store(tableAddress, PACKED_DESC_BYTES * entries, VIRTQ_DESC_F_INDIRECT))
  }

  /** The flags of the first descriptor with release, after everything else. */
  publish(): void {
    if (this.firstSlot < 0) return
    this.windows.desc.store16Release(PACKED_DESC_BYTES * this.firstSlot + PACKED_DESC_FLAGS_OFFSET, this.firstFlags)
    this.firstSlot = -1
  }

  needsKick(): boolean {
    plainCpu.mb()
    const event = this.windows.device.load32(PACKED_EVENT_OFF_WRAP_OFFSET)
    const { added } = this
    this.added = 0
    const flags = (event >>> 16) & 3
    if (flags === RING_EVENT_FLAGS_DISABLE) return false
    if (flags !== RING_EVENT_FLAGS_DESC || !this.eventIdx) return true
    const offset = event & 0x7fff
    const position = ((event >>> 15) & 1) === this.availWrap ? offset : offset - this.queueSize
    return needEvent(position & 0xffff, this.nextAvail, (this.nextAvail - added) & 0xffff)
  }

  getUsed(): boolean {
    if (this.batchEnd < 0) {
      const at = PACKED_DESC_BYTES * this.nextUsed
      const flags = this.windows.desc.load16Acquire(at + PACKED_DESC_FLAGS_OFFSET)
      if (this.freeCount === this.queueSize || !isUsed(flags, this.usedWrap)) return false
      this.batchEnd = this.windows.desc.load16(at + PACKED_DESC_ID_OFFSET) % this.queueSize
      this.batchLength = (flags & VIRTQ_DESC_F_WRITE) === 0 ? 0 : this.windows.desc.load32(at + PACKED_DESC_LEN_OFFSET)
    }
    // One used descriptor stands for all chains up to the one that it names. VirtIO 1.3 section 2.8.9.
    const id = this.inOrder ? this.idAt[this.nextUsed]! : this.batchEnd
    this.usedId = id
    this.usedLength = id === this.batchEnd ? this.batchLength : 0
    if (id === this.batchEnd) this.batchEnd = -1
    this.free(id)
    return true
  }

  reclaim(): number {
    let count = 0
    while (this.getUsed()) count++
    return count
  }

  setNotification(enabled: boolean): void {
    const { driver } = this.windows
    if (!enabled) driver.store16(PACKED_EVENT_FLAGS_OFFSET, RING_EVENT_FLAGS_DISABLE)
    else if (!this.eventIdx) driver.store16(PACKED_EVENT_FLAGS_OFFSET, RING_EVENT_FLAGS_ENABLE)
    else driver.store32(0, (this.nextUsed | (this.usedWrap << 15) | (RING_EVENT_FLAGS_DESC << 16)) >>> 0)
  }

  private addChain(entries: number, store: (index: number) => void): number {
    const id = this.freeIds[--this.freeIdCount]!
    this.idAt[this.nextAvail] = id
    this.chainLength[id] = entries
    this.freeCount -= entries
    this.added += entries
    for (let index = 0; index < entries; index++) {
      this.windows.desc.store16(PACKED_DESC_BYTES * this.nextAvail + PACKED_DESC_ID_OFFSET, id)
      store(index)
    }
    return id
  }

  /** One descriptor at the next slot; its flags at once, unless it is the first that was not published. */
  private store(address: number, length: number, kind: number): void {
    const { desc } = this.windows
    const slot = this.nextAvail
    const at = PACKED_DESC_BYTES * slot
    const flags = kind | availFlags(this.availWrap)
    desc.store32(at, address >>> 0)
    desc.store32(at + 4, (address / 0x1_0000_0000) >>> 0)
    desc.store32(at + PACKED_DESC_LEN_OFFSET, length)
    if (this.firstSlot < 0) {
      this.firstSlot = slot
      this.firstFlags = flags
    } else desc.store16Release(at + PACKED_DESC_FLAGS_OFFSET, flags)
    this.nextAvail = slot + 1 === this.queueSize ? 0 : slot + 1
    if (this.nextAvail === 0) this.availWrap ^= 1
  }

  private free(id: number): void {
    const entries = this.chainLength[id]!
    this.freeIds[this.freeIdCount++] = id
    this.freeCount += entries
    this.nextUsed += entries
    if (this.nextUsed < this.queueSize) return
    this.nextUsed -= this.queueSize
    this.usedWrap ^= 1
  }
}
