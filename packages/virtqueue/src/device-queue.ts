import {
  type Accessor,
  type Cpu,
  load16Batch,
  load16Each,
  loadDescriptorBatch,
  loadDescriptorEach,
  type Window,
} from '@vring/accessor'
import {
  AVAIL_FLAGS_OFFSET,
  AVAIL_IDX_OFFSET,
  AVAIL_RING_OFFSET,
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
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_USED_F_NO_NOTIFY,
} from '@vring/layout'
import type { AddressMap } from '@vring/memory'
import type { BrokenReason } from './broken-reason.ts'
import type { ChainBatch } from './chain-batch.ts'
import { ChainWalker } from './chain-walker.ts'

/** Flags of a descriptor that is more than one buffer. */
const NOT_SINGLE = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT
/** Flags of a descriptor that is more than one device-readable buffer. */
const NOT_PLAIN = NOT_SINGLE | VIRTQ_DESC_F_WRITE

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
  private readonly walker: ChainWalker
  private readonly notifyOnEmpty: boolean
  private readonly usedLog: UsedRingLog | null
  private readonly oneByOne: boolean
  private serving: Accessor
  private desc: Window
  private avail: Window
  private used: Window
  private refusal: BrokenReason = 'metadata-fault'
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
    this.walker = new ChainWalker(cpu, buffers, ring.queueSize, hasFeature(features, VIRTIO_F_INDIRECT_DESC))
    this.notifyOnEmpty = hasFeature(features, VIRTIO_F_NOTIFY_ON_EMPTY)
    this.usedLog = options.usedLog ?? null
    this.oneByOne = options.fetch === 'each'
    this.serving = accessor
    this.desc = accessor.desc
    this.avail = accessor.avail
    this.used = accessor.used
    this.pending = new Uint32Array(2 * ring.queueSize)
  }

  /** The accessor that serves the queue now. */
  get accessor(): Accessor {
    return this.serving
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
    this.desc = accessor.desc
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
    if (limit > batch.head.length) limit = batch.head.length
    // One flat loop a step: the loads of many chains are in flight side by side while their cache lines come over from the
    // driver's core, and V8 keeps in registers what no step of a loop changes.
    const heads = this.loadHeads(batch, limit)
    if (heads <= 0) return this.stop(heads, batch, 0, 0)
    const chains = this.loadDescriptors(batch, heads)
    if (chains <= 0) return this.stop(chains, batch, 0, 0)
    const plain = this.takePlain(batch, chains)
    if (plain < chains) return this.takeChains(batch, plain, chains)
    if (!batch.uniform) batch.restore()
    return this.stop(0, batch, plain, plain)
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

  /** Adds used elements for the first `count` chains of a batch, nothing written to them: a TX batch is done. */
  pushUsedBatch(batch: ChainBatch, count: number): void {
    const pending = this.pending
    const head = batch.head
    let at = 2 * this.pendingCount
    for (let i = 0; i < count; i++, at += 2) {
      pending[at] = head[i]!
      pending[at + 1] = 0
    }
    this.pendingCount += count
  }

  /**
   * Publishes the pending used elements: one store of all of them (two where the ring wraps), then used.idx with release.
   * Source: Linux `vhost_add_used_n`.
   *
   * @returns 0 or a negative errno (the queue is then broken)
   */
  flushUsed(): number {
    const count = this.pendingCount
    if (count === 0) return 0
    if (this.broken !== null) return EINVAL
    const slot = this.usedIdx & this.mask
    const first = Math.min(count, this.queueSize - slot)
    let status = this.used.storeUsed(USED_RING_OFFSET + USED_ELEM_BYTES * slot, this.pending, 0, first)
    if (status < 0) return this.fault(status)
    if (first < count) {
      status = this.used.storeUsed(USED_RING_OFFSET, this.pending, 2 * first, count - first)
      if (status < 0) return this.fault(status)
    }
    const usedIdx = (this.usedIdx + count) & 0xffff
    status = this.used.store16Release(USED_IDX_OFFSET, usedIdx)
    if (status < 0) return this.fault(status)
    if (this.usedLog !== null) this.logUsed(slot, first, count)
    // If the driver moves used_event more than 2^16 entries behind, "signalled" is no longer comparable.
    if (((usedIdx - this.signalledUsed) & 0xffff) < count) this.signalledUsedValid = false
    this.usedIdx = usedIdx
    this.pendingCount = 0
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
   * @returns true when the driver made more available meanwhile: do not sleep, it may not notify
   */
  enableNotification(): boolean {
    if (this.broken !== null) return false
    this.notifySuppressed = false
    const seen = this.availIdx
    const status = this.eventIdx
      ? this.storeUsedWord(availEventOffset(this.queueSize), seen)
      : this.storeUsedWord(USED_FLAGS_OFFSET, 0)
    if (status < 0) return false
    // Orders the store above before the load below; pairs with the driver's barrier between its store of avail.idx and
    // its load of avail_event or used.flags.
    this.cpu.mb()
    return this.fetchAvailIdx() >= 0 && this.availIdx !== seen
  }

  /** Loads up to `limit` heads and checks them; how many, or a negative errno for the first. */
  private loadHeads(batch: ChainBatch, limit: number): number {
    const { avail, nextAvail, mask, queueSize } = this
    const heads = batch.head
    let loaded = 0
    while (loaded < limit) {
      const slot = (nextAvail + loaded) & mask
      const toEnd = queueSize - slot
      // As integers: with Math.min the loops of a window would count in doubles.
      const wanted = limit - loaded < toEnd ? (limit - loaded) | 0 : toEnd | 0
      const offset = AVAIL_RING_OFFSET + 2 * slot
      const got =
        this.oneByOne === true
          ? load16Each(avail, offset, heads, loaded, wanted)
          : load16Batch(avail, offset, heads, loaded, wanted)
      if (got <= 0) return loaded > 0 ? this.checkHeads(heads, loaded) : this.refuse('metadata-fault', got)
      loaded += got
    }
    return this.checkHeads(heads, loaded)
  }

  private checkHeads(heads: Uint16Array, count: number): number {
    const { cpu, queueSize } = this
    let valid = 0
    for (; valid < count; valid++) if (!cpu.predict(heads[valid]! < queueSize)) break
    return valid === 0 ? this.refuse('head-out-of-range') : valid
  }

  /** Loads the head descriptors of `count` chains; how many, or a negative errno for the first. */
  private loadDescriptors(batch: ChainBatch, count: number): number {
    const { head, descriptor } = batch
    const loaded =
      this.oneByOne === true
        ? loadDescriptorEach(this.desc, head, descriptor, 0, count)
        : loadDescriptorBatch(this.desc, head, descriptor, 0, count)
    return loaded < 0 ? this.refuse('metadata-fault', loaded) : loaded
  }

  /** Makes a segment of each chain of one device-readable descriptor, up to the first that is another kind. */
  private takePlain(batch: ChainBatch, count: number): number {
    const { descriptor, address, length } = batch
    let chain = 0
    for (; chain < count; chain++) {
      const word = 4 * chain
      const bytes = descriptor[word + 2]!
      if ((descriptor[word + 3]! & NOT_PLAIN) !== 0 || bytes === 0) break
      address[chain] = descriptor[word + 1]! * 0x1_0000_0000 + descriptor[word]!
      length[chain] = bytes
    }
    return chain
  }

  /** Goes on behind `first` plain chains, with chains of every kind: segment and chain have parted. */
  private takeChains(batch: ChainBatch, first: number, count: number): number {
    const { descriptor, address, length, segmentLimit, segStart, writeStart } = batch
    // The plain ones in front still have the places that an earlier batch gave them.
    if (!batch.uniform) batch.place(first)
    batch.uniform = false
    let segments = first
    let chain = first
    // Beyond the limit the columns have room for one more chain of the longest kind: the rest is for the next batch.
    for (; chain < count && segments < segmentLimit; chain++) {
      const word = 4 * chain
      const flags = descriptor[word + 3]!
      segStart[chain] = segments
      if ((flags & NOT_SINGLE) === 0 && descriptor[word + 2]! !== 0) {
        address[segments] = descriptor[word + 1]! * 0x1_0000_0000 + descriptor[word]!
        length[segments] = descriptor[word + 2]!
        writeStart[chain] = (flags & VIRTQ_DESC_F_WRITE) === 0 ? segments + 1 : segments
        segments++
        continue
      }
      const end = this.walker.walk(this.desc, batch, chain, segments)
      if (end < 0) return this.stop(this.refuse(this.walker.refusal, end), batch, chain, segments)
      segments = end
    }
    return this.stop(0, batch, chain, segments)
  }

  /**
   * Ends a batch. Chains taken so far count and are worked off first; what stopped it is met again, and latched, by the
   * call that finds it in front.
   */
  private stop(status: number, batch: ChainBatch, count: number, segments: number): number {
    if (!batch.uniform) batch.segStart[count] = segments
    batch.count = count
    this.nextAvail = (this.nextAvail + count) & 0xffff
    if (count > 0) return count
    if (status < 0 && status !== EAGAIN) this.latch(this.refusal)
    return status
  }

  /** Notes why a chain is refused; {@link stop} decides whether that breaks the queue now. */
  private refuse(reason: BrokenReason, status: number = EINVAL): number {
    this.refusal = reason
    return status
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
