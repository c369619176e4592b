import { plainCpu, type Window } from '@vring/accessor'
import {
  type Area,
  AVAIL_FLAGS_OFFSET,
  AVAIL_IDX_OFFSET,
  AVAIL_RING_OFFSET,
  availEventOffset,
  checkQueueSize,
  DESC_BYTES,
  hasFeature,
  needEvent,
  refused,
  USED_ELEM_BYTES,
  USED_FLAGS_OFFSET,
  USED_IDX_OFFSET,
  USED_RING_OFFSET,
  usedEventOffset,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_USED_F_NO_NOTIFY,
} from '@vring/layout'
import { checkRing } from '../check-ring.ts'
import type { DriverBuffer, DriverQueue, DriverQueueOptions } from '../driver-queue.ts'
import { guestWindows } from '../guest-window.ts'

/**
 * The driver side of a split virtqueue (VirtIO 1.3 sections 2.7.13, 2.7.14): a mock driver for tests, benches and
 * frontends. Correct, not hostile: hostile drivers write to {@link windows} as they please.
 */
export class SplitDriverQueue implements DriverQueue {
  readonly queueSize: number
  readonly eventIdx: boolean
  /** The ring areas, for tests that want to write nonsense. */
  readonly windows: Readonly<Record<Area, Window>>
  /** Next avail index to publish (free-running, 16 bits), those added but not published included. */
  availIdx = 0
  /** Next used index to read (free-running, 16 bits). */
  lastUsed = 0
  /** Descriptors that are free. */
  freeCount: number
  /** Id of the last element that {@link getUsed} returned. */
  usedId = 0
  /** Bytes the device wrote to it. */
  usedLength = 0

  private readonly mask: number
  /** Free descriptors as a linked list through their table index. */
  private readonly next: Uint16Array
  /** Descriptors of the chain that each head starts. */
  private readonly chainLength: Uint16Array
  private readonly inOrder: boolean
  /** The head that each avail entry has, for a device that uses chains in order. */
  private readonly heads: Uint16Array
  /** Chains that the last element that was read stands for and that are not taken back. */
  private skipped = 0
  private batchLength = 0
  private freeHead = 0
  private published = 0
  private signalledAvail = 0

  /** @throws VringError ERR_INVALID_ARGUMENT for a ring that is not of the negotiated features */
  constructor(options: DriverQueueOptions) {
    const { ring, memory, features, pinned = false } = options
    checkRing(ring, features, 'split')
    checkQueueSize(ring.queueSize)
    this.queueSize = ring.queueSize
    this.mask = ring.queueSize - 1
    this.eventIdx = hasFeature(features, VIRTIO_F_EVENT_IDX)
    this.windows = guestWindows(memory, ring, pinned)
    this.inOrder = hasFeature(features, VIRTIO_F_IN_ORDER)
    this.heads = new Uint16Array(ring.queueSize)
    this.freeCount = ring.queueSize
    this.next = Uint16Array.from({ length: ring.queueSize }, (_, index) => (index + 1) & this.mask)
    this.chainLength = new Uint16Array(ring.queueSize)
  }

  /** The next avail index that was not published is where a device goes on. */
  get base(): number {
    return this.published
  }

  /**
   * Adds a chain of one buffer. Published by {@link publish}.
   *
   * @returns the head descriptor, or -1 when none is free
   */
  addOne(address: number, length: number, writable: boolean): number {
    if (this.freeCount === 0) return -1
    const head = this.freeHead
    this.freeHead = this.next[head]!
    this.freeCount--
    this.chainLength[head] = 1
    this.storeDescriptor(head, address, length, writable ? VIRTQ_DESC_F_WRITE : 0, 0)
    this.addHead(head)
    return head
  }

  /**
   * Adds a chain of buffers, device-readable ones first. Published by {@link publish}.
   *
   * @returns the head descriptor, or -1 when too few are free
   */
  add(buffers: readonly DriverBuffer[]): number {
    if (buffers.length === 0) throw refused('ERR_INVALID_ARGUMENT', 'buffers.length', 0, 'one buffer or more')
    if (buffers.length > this.freeCount) return -1
    const head = this.freeHead
    let index = head
    for (let i = 0; i < buffers.length; i++) {
      const { address, length, writable = false } = buffers[i]!
      const last = i === buffers.length - 1
      const flags = (writable ? VIRTQ_DESC_F_WRITE : 0) | (last ? 0 : VIRTQ_DESC_F_NEXT)
      const next = this.next[index]!
      this.storeDescriptor(index, address, length, flags, last ? 0 : next)
      if (last) this.freeHead = next
      else index = next
    }
    this.freeCount -= buffers.length
    this.chainLength[head] = buffers.length
    this.addHead(head)
    return head
  }

  /**
   * Adds one descriptor that names an indirect table of `entries` descriptors at `tableAddress`, which the caller wrote.
   *
   * @returns the head descriptor, or -1 when none is free
   */
  addIndirect(tableAddress: number, entries: number): number {
    if (this.freeCount === 0) return -1
    const head = this.freeHead
    this.freeHead = this.next[head]!
    this.freeCount--
    this.chainLength[head] = 1
    this.storeDescriptor(head, tableAddress, DESC_BYTES * entries, VIRTQ_DESC_F_INDIRECT, 0)
    this.addHead(head)
    return head
  }

  /** Makes everything added since the last call visible: avail.idx with release, after entries and descriptors. */
  publish(): void {
    this.published = this.availIdx
    this.windows.driver.store16Release(AVAIL_IDX_OFFSET, this.availIdx)
  }

  /** Does the device want to be notified of what was published? VirtIO 1.3 section 2.7.10. */
  needsKick(): boolean {
    plainCpu.mb()
    const device = this.windows.device
    const oldIdx = this.signalledAvail
    this.signalledAvail = this.published
    if (!this.eventIdx) return (device.load16(USED_FLAGS_OFFSET) & VIRTQ_USED_F_NO_NOTIFY) === 0
    return needEvent(device.load16(availEventOffset(this.queueSize)), this.published, oldIdx)
  }

  /** Published used elements that were not read yet. */
  usedReady(): number {
    return (this.windows.device.load16Acquire(USED_IDX_OFFSET) - this.lastUsed) & 0xffff
  }

  /**
   * Reads one used element to {@link usedId} and {@link usedLength} and frees its chain.
   *
   * @returns false when there is none
   */
  getUsed(): boolean {
    return this.usedReady() > 0 && this.takeUsed()
  }

  /**
   * Reads all published used elements and frees their chains.
   *
   * @returns how many
   */
  reclaim(): number {
    const ready = this.usedReady()
    for (let i = 0; i < ready; i++) this.takeUsed()
    return ready
  }

  /** Asks the device to notify when one more element is used, or not at all. */
  setNotification(enabled: boolean): void {
    const driver = this.windows.driver
    if (this.eventIdx) driver.store16(usedEventOffset(this.queueSize), (this.lastUsed - (enabled ? 0 : 1)) & 0xffff)
    else driver.store16(AVAIL_FLAGS_OFFSET, enabled ? 0 : VIRTQ_AVAIL_F_NO_INTERRUPT)
  }

  private takeUsed(): true {
    const slot = this.lastUsed & this.mask
    if (this.inOrder) this.takeInOrder(slot)
    else this.loadElement(slot)
    this.lastUsed = (this.lastUsed + 1) & 0xffff
    this.free(this.usedId)
    return true
  }

  private loadElement(slot: number): void {
    const offset = USED_RING_OFFSET + USED_ELEM_BYTES * slot
    this.usedId = this.windows.device.load32(offset) & this.mask
    this.usedLength = this.windows.device.load32(offset + 4)
  }

  /** One element stands for all chains up to the one that it names. VirtIO 1.3 section 2.7.9. */
  private takeInOrder(slot: number): void {
    if (this.skipped === 0) {
      this.loadElement(slot)
      this.batchLength = this.usedLength
      while (this.skipped < this.queueSize && this.heads[(slot + this.skipped) & this.mask] !== this.usedId)
        this.skipped++
      this.skipped++
    }
    this.skipped--
    this.usedId = this.heads[slot]!
    this.usedLength = this.skipped === 0 ? this.batchLength : 0
  }

  private free(id: number): void {
    const length = this.chainLength[id]!
    let tail = id
    for (let i = 1; i < length; i++) tail = this.next[tail]!
    this.next[tail] = this.freeHead
    this.freeHead = id
    this.freeCount += length
  }

  private addHead(head: number): void {
    this.heads[this.availIdx & this.mask] = head
    this.windows.driver.store16(AVAIL_RING_OFFSET + 2 * (this.availIdx & this.mask), head)
    this.availIdx = (this.availIdx + 1) & 0xffff
  }

  private storeDescriptor(index: number, address: number, length: number, flags: number, next: number): void {
    const desc = this.windows.desc
    const offset = DESC_BYTES * index
    desc.store32(offset, address >>> 0)
    desc.store32(offset + 4, (address / 0x1_0000_0000) >>> 0)
    desc.store32(offset + 8, length)
    desc.store32(offset + 12, flags | (next << 16))
  }
}
