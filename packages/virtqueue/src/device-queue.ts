import type { Accessor, Cpu, Window } from '@vring/accessor'
import {
  AVAIL_FLAGS_OFFSET,
  AVAIL_IDX_OFFSET,
  availEventOffset,
  EAGAIN,
  EINVAL,
  hasFeature,
  needEvent,
  type RingAreas,
  USED_ELEM_BYTES,
  USED_FLAGS_OFFSET,
  USED_IDX_OFFSET,
  USED_RING_OFFSET,
  usedEventOffset,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_NOTIFY_ON_EMPTY,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_USED_F_NO_NOTIFY,
} from '@vring/layout'
import type { AddressMap } from '@vring/memory'
import type { BrokenReason } from './broken-reason.ts'
import type { ChainBatch } from './chain-batch.ts'
import { ChainReader } from './chain-reader.ts'
import { ChainWalker } from './chain-walker.ts'

/** Where the ring's own writes go in the guest-migration log. Source: Linux `vhost_virtqueue.log_addr`. */
export interface UsedRingLog {
  /** Guest-physical address of the used ring. */
  readonly address: number
  readonly log: { write(address: number, length: number): void }
}

/** What a {@link DeviceQueue} is made of. */
export interface DeviceQueueOptions {
  readonly accessor: Accessor
  readonly cpu: Cpu
  readonly ring: RingAreas
  /** Negotiated feature bits. */
  readonly features: bigint
  /** Where the driver's buffers are: read for indirect tables. */
  readonly buffers: AddressMap
  readonly usedLog?: UsedRingLog | null
  /**
   * `batch` (default): entries and descriptors of many chains are loaded together where the accessor can. `each`: one
   * access at a time, as Linux 5.0 does: what its published rates are modelled by.
   */
  readonly fetch?: 'batch' | 'each'
}

/**
 * The device side of a split virtqueue. One `popBatch`, work, `pushUsed` for each chain, `flushUsed`, and a notification
 * where {@link needsNotification} asks for one, between the accessor's `beginRound` and `endRound`.
 *
 * The driver is hostile: every index and descriptor is fetched once and the copy is checked, every chain is bounded, and
 * a malformed ring latches {@link broken}: the queue then touches no memory until it is set up again.
 *
 * Memory order (VirtIO 1.3 sections 2.7.13, 2.7.14): avail.idx is loaded with acquire, which pairs with the driver's
 * release of it, so ring entries and descriptors behind it are the published ones. used.idx is stored with release
 * behind the elements; it pairs with the driver's acquire.
 */
export class DeviceQueue {
  /** Where the ring is. */
  readonly ring: RingAreas
  readonly queueSize: number
  readonly eventIdx: boolean
  /** Next avail index to take (free-running, 16 bits). Linux: last_avail_idx. */
  nextAvail = 0
  /** Next used index to publish (free-running, 16 bits). Linux: last_used_idx. */
  usedIdx = 0
  /** Why the queue is broken, or null. */
  broken: BrokenReason | null = null

  private readonly mask: number
  private readonly cpu: Cpu
  private readonly reader: ChainReader
  private readonly notifyOnEmpty: boolean
  private readonly usedLog: UsedRingLog | null
  private serving: Accessor
  private avail: Window
  private used: Window
  /** avail.idx as last seen. */
  private availIdx = 0
  private signalledUsed = 0
  private signalledUsedValid = false
  private notifySuppressed = false
  private readonly pending: Uint32Array
  private pendingCount = 0

  constructor(options: DeviceQueueOptions) {
    const { accessor, cpu, ring, features, buffers } = options
    this.queueSize = ring.queueSize
    this.eventIdx = ring.eventIdx
    this.mask = ring.queueSize - 1
    this.cpu = cpu
    this.ring = ring
    const walker = new ChainWalker(cpu, buffers, ring.queueSize, hasFeature(features, VIRTIO_F_INDIRECT_DESC))
    this.reader = new ChainReader(accessor, cpu, ring.queueSize, walker, options.fetch === 'each')
    this.notifyOnEmpty = hasFeature(features, VIRTIO_F_NOTIFY_ON_EMPTY)
    this.usedLog = options.usedLog ?? null
    this.serving = accessor
    this.avail = accessor.avail
    this.used = accessor.used
    this.pending = new Uint32Array(2 * ring.queueSize)
  }

  /** The accessor that serves the queue now. */
  get accessor(): Accessor {
    return this.serving
  }

  /** Chains that were available at the last look and are not taken yet. */
  get waiting(): number {
    return (this.availIdx - this.nextAvail) & 0xffff
  }

  /** Used elements that are pushed but not published. */
  get pendingUsed(): number {
    return this.pendingCount
  }

  /**
   * Another accessor for the same ring, between rounds: nothing of the queue's state changes.
   * The caller closes the old one, which is returned.
   */
  useAccessor(accessor: Accessor): Accessor {
    const old = this.serving
    this.serving = accessor
    this.reader.use(accessor)
    this.avail = accessor.avail
    this.used = accessor.used
    return old
  }

  /**
   * Starts at avail index `nextAvail`; the used index is read from the ring, as a device does that takes a queue over
   * (Linux: vhost_vq_init_access). Call it inside a round.
   *
   * @returns 0 or a negative errno
   */
  start(nextAvail: number): number {
    const used = this.used.load16(USED_IDX_OFFSET)
    if (used < 0) return this.fault(used)
    this.usedIdx = used
    this.nextAvail = nextAvail & 0xffff
    this.availIdx = this.nextAvail
    this.signalledUsedValid = false
    this.notifySuppressed = false
    this.pendingCount = 0
    this.broken = null
    return 0
  }

  /** Latches the queue as broken, keeping the first reason. Returns -EINVAL for the caller to pass on. */
  latch(reason: BrokenReason): number {
    this.broken ??= reason
    return EINVAL
  }

  /**
   * Takes up to `max` chains that the driver made available.
   *
   * @returns how many (0: none), -EAGAIN (a translation is missing: end the round), or a negative errno when the queue
   * is broken
   */
  popBatch(batch: ChainBatch, max: number): number {
    batch.count = 0
    if (this.broken !== null) return EINVAL
    const nextAvail = this.nextAvail
    let ready = (this.availIdx - nextAvail) & 0xffff
    if (ready === 0) {
      ready = this.fetchAvailIdx()
      if (ready <= 0) return ready
    }
    // As an integer: Math.min would make every comparison of the loop one of doubles.
    let limit = max < ready ? max | 0 : ready | 0
    if (limit > batch.entry.length) limit = batch.entry.length
    const taken = this.reader.read(batch, nextAvail, limit)
    if (taken > 0) this.nextAvail = (nextAvail + taken) & 0xffff
    // Chains in front of a malformed one are worked off first: what stopped them is met again, and latched, in front.
    else if (taken < 0 && taken !== EAGAIN) this.latch(this.reader.refusal)
    return taken
  }

  /**
   * Looks how many chains the driver has made available: loads avail.idx and checks it. {@link popBatch} does so by
   * itself when it knows of none.
   *
   * @returns how many are ready, -EAGAIN, or a negative errno when the queue is broken
   */
  fetchAvailIdx(): number {
    if (this.broken !== null) return EINVAL
    const availIdx = this.avail.load16Acquire(AVAIL_IDX_OFFSET)
    if (availIdx < 0) return this.fault(availIdx)
    const ready = (availIdx - this.nextAvail) & 0xffff
    // Chains that wait for flushUsed count too: a driver that makes entries available again before they are used would
    // have more used elements pending than the used ring holds.
    if (ready + this.pendingCount > this.queueSize) return this.latch('avail-idx-jump')
    this.availIdx = availIdx
    return ready
  }

  /** Gives the last `count` chains of the last batch back, as if they had not been taken (vhost_discard_vq_desc). */
  rewind(count: number): void {
    this.nextAvail = (this.nextAvail - count) & 0xffff
  }

  /** Adds a used element: chain `id` is done and the device wrote `length` bytes to it. Published by {@link flushUsed}. */
  pushUsed(id: number, length: number): void {
    const at = 2 * this.pendingCount
    this.pending[at] = id
    this.pending[at + 1] = length
    this.pendingCount++
  }

  /**
   * Publishes the pending used elements. Source: Linux `vhost_add_used_n`.
   *
   * @returns 0, -EAGAIN (a translation is missing: they stay pending), or a negative errno when the queue is broken
   */
  flushUsed(): number {
    if (this.pendingCount === 0) return 0
    const status = this.publish(this.pending, this.pendingCount)
    if (status === 0) this.pendingCount = 0
    return status
  }

  /**
   * Publishes what is pending, then the first `count` chains of a batch with nothing written to them: a TX batch is done.
   * Where a translation is missing they become pending themselves: done they are, and {@link flushUsed} tells the driver.
   *
   * @returns as {@link flushUsed}
   */
  useBatch(batch: ChainBatch, count: number): number {
    let status = this.flushUsed()
    if (status === 0 && count > 0) status = this.publish(batch.used, count)
    if (status === EAGAIN) for (let i = 0; i < count; i++) this.pushUsed(batch.headOf(i), 0)
    return status
  }

  /** One store of all elements (two where the ring wraps), then used.idx with release. */
  private publish(elements: Uint32Array, count: number): number {
    if (this.broken !== null) return EINVAL
    const slot = this.usedIdx & this.mask
    const toEnd = (this.queueSize - slot) | 0
    const first = count < toEnd ? count | 0 : toEnd
    let status = this.used.storeUsed(USED_RING_OFFSET + USED_ELEM_BYTES * slot, elements, 0, first)
    if (status < 0) return this.fault(status)
    if (first < count) {
      status = this.used.storeUsed(USED_RING_OFFSET, elements, 2 * first, count - first)
      if (status < 0) return this.fault(status)
    }
    const usedIdx = (this.usedIdx + count) & 0xffff
    status = this.used.store16Release(USED_IDX_OFFSET, usedIdx)
    if (status < 0) return this.fault(status)
    if (this.usedLog !== null) this.logUsed(slot, first, count)
    // If the driver moves used_event more than 2^16 entries behind, "signalled" is no longer comparable.
    if (((usedIdx - this.signalledUsed) & 0xffff) < count) this.signalledUsedValid = false
    this.usedIdx = usedIdx
    return 0
  }

  /**
   * Does the driver want to be notified of what was published since the last call that said so? When that can't be read,
   * yes: a notification too many is harmless, one too few is a hang. Source: Linux
   * `vhost_notify`; VirtIO 1.3 section 2.7.7.
   */
  needsNotification(): boolean {
    if (this.broken !== null) return false
    // Orders the store of used.idx before the load of used_event or avail.flags; pairs with the driver's barrier between
    // its store of used_event and its load of used.idx.
    this.cpu.mb()
    if (this.notifyOnEmpty && this.availIdx === this.nextAvail) return true
    if (!this.eventIdx) {
      const flags = this.avail.load16(AVAIL_FLAGS_OFFSET)
      if (flags < 0) return this.fault(flags) < 0
      return (flags & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0
    }
    const oldIdx = this.signalledUsed
    const valid = this.signalledUsedValid
    this.signalledUsed = this.usedIdx
    this.signalledUsedValid = true
    if (!valid) return true
    const event = this.avail.load16(usedEventOffset(this.queueSize))
    if (event < 0) return this.fault(event) < 0
    return needEvent(event, this.usedIdx, oldIdx)
  }

  /** Asks the driver not to notify. With EVENT_IDX nothing is written: an old avail_event suppresses by itself. */
  disableNotification(): void {
    if (this.notifySuppressed || this.broken !== null) return
    this.notifySuppressed = true
    if (!this.eventIdx) this.storeUsedWord(USED_FLAGS_OFFSET, VIRTQ_USED_F_NO_NOTIFY)
  }

  /**
   * Asks the driver to notify of what it adds to the entries seen so far, then looks once more. Source: Linux
   * `vhost_enable_notify`.
   *
   * @returns how many chains the driver has made available meanwhile (0: sleep until it notifies), -EAGAIN (a translation is
   * missing: it was not asked), or a negative errno when the queue is broken
   */
  enableNotification(): number {
    if (this.broken !== null) return EINVAL
    this.notifySuppressed = false
    const seen = this.availIdx
    const status = this.eventIdx
      ? this.storeUsedWord(availEventOffset(this.queueSize), seen)
      : this.storeUsedWord(USED_FLAGS_OFFSET, 0)
    if (status < 0) return status
    // Orders the store above before the load below; pairs with the driver's barrier between its store of avail.idx and
    // its load of avail_event or used.flags.
    this.cpu.mb()
    const ready = this.fetchAvailIdx()
    return ready < 0 ? ready : (this.availIdx - seen) & 0xffff
  }

  /** A window failed: a missing translation is asked for again, anything else breaks the queue. */
  private fault(status: number): number {
    if (status !== EAGAIN) this.latch('metadata-fault')
    return status
  }

  private storeUsedWord(offset: number, value: number): number {
    const status = this.used.store16(offset, value)
    if (status < 0) return this.fault(status)
    if (this.usedLog !== null) this.usedLog.log.write(this.usedLog.address + offset, 2)
    return 0
  }

  /** Data first, then the log: a reader of the log must find what it points at. Source: Linux `__vhost_add_used_n`. */
  private logUsed(slot: number, first: number, count: number): void {
    const { log, address } = this.usedLog!
    log.write(address + USED_RING_OFFSET + USED_ELEM_BYTES * slot, USED_ELEM_BYTES * first)
    if (first < count) log.write(address + USED_RING_OFFSET, USED_ELEM_BYTES * (count - first))
    log.write(address + USED_IDX_OFFSET, 2)
  }
}
