import type { Accessor, Cpu, RingLease, Window } from '@vring/accessor'
import {
  EAGAIN,
  EINVAL,
  hasFeature,
  PACKED_DESC_BYTES,
  PACKED_DESC_FLAGS_OFFSET,
  type RingAreas,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import { work } from '@vring/memory'
import type { BrokenReason } from '../broken-reason.ts'
import { type ChainBatch, HOLD_CHAINS, LOOK_WORK } from '../chain-batch.ts'
import { chainMaxOf } from '../chain-max.ts'
import { checkRing } from '../check-ring.ts'
import type { DeviceQueue, DeviceQueueOptions, RingLog, TakenChain } from '../device-queue.ts'
import { PackedChainWalker } from './packed-chain-walker.ts'
import { PackedNotifications } from './packed-notifications.ts'
import { isAvailable } from './packed-position.ts'
import { entriesOf, PackedPublisher } from './packed-publisher.ts'
import { PackedReader } from './packed-reader.ts'

/**
 * The device side of a packed virtqueue (VirtIO 1.3 section 2.8).
 *
 * There is no index: the flags of the next descriptor say whether it is available, and the device writes used descriptors
 * over available ones. Memory order: the flags of a chain's first descriptor are loaded with acquire, or those of many before a
 * read barrier, which pairs with the driver's release of them after the rest of the chain. Publishing is {@link PackedPublisher}'s; what either side asks to
 * be told of, {@link PackedNotifications}'.
 */
export class PackedDeviceQueue implements DeviceQueue {
  readonly accessor: Accessor
  readonly ring: RingAreas
  readonly queueSize: number
  broken: BrokenReason | null = null

  private readonly inOrder: boolean
  private readonly cpu: Cpu
  private readonly lease: RingLease | null
  private readonly desc: Window
  private readonly reader: PackedReader
  private readonly publisher: PackedPublisher
  private readonly notifications: PackedNotifications
  private readonly log: RingLog | null
  private nextAvail = 0
  private availWrap = 1
  private nextUsed = 0
  private usedWrap = 1
  /** Ring entries that were taken and not published as used. */
  private inFlight = 0
  /** Where the last look found nothing, or did not look: what a notification is asked for. */
  private seenSlot = 0
  private seenWrap = 1
  /** Used chains that are not published: id, length, and ring entries of each. */
  private readonly elements: Uint32Array
  private readonly slots: Uint16Array
  private pendingCount = 0
  /** Each of them takes one ring entry. */
  private pendingSingle = true

  /** @throws VringError ERR_OUT_OF_RANGE for an option, ERR_INVALID_ARGUMENT for a ring that is not of the negotiated features */
  constructor(options: DeviceQueueOptions) {
    const { accessor, cpu, ring, features, buffers } = options
    checkRing(ring, features, 'packed')
    const { queueSize } = ring
    const indirect = hasFeature(features, VIRTIO_F_INDIRECT_DESC)
    const walker = new PackedChainWalker(cpu, buffers, queueSize, indirect, chainMaxOf(options))
    this.accessor = accessor
    this.ring = ring
    this.queueSize = queueSize
    this.inOrder = hasFeature(features, VIRTIO_F_IN_ORDER)
    this.cpu = cpu
    this.lease = accessor.lease
    this.desc = accessor.desc
    this.reader = new PackedReader(accessor.desc, cpu, queueSize, walker)
    this.publisher = new PackedPublisher(cpu, accessor.desc, queueSize)
    this.log = options.log ?? null
    const { driver, device } = accessor
    this.notifications = new PackedNotifications(driver, device, queueSize, ring.eventIdx, this.log)
    this.elements = new Uint32Array(2 * queueSize)
    this.slots = new Uint16Array(queueSize)
  }

  get base(): number {
    const avail = this.nextAvail | (this.availWrap << 15)
    const used = this.nextUsed | (this.usedWrap << 15)
    return (avail | (used << 16)) >>> 0
  }

  get pending(): number {
    return this.pendingCount
  }

  /**
   * Upper bits of 0 say that the used position is the available one, as drivers say that know only the latter (DPDK).
   *
   * @returns 0, or -EINVAL when a slot is not in the ring
   */
  start(base: number): number {
    const avail = base & 0xffff
    const upper = base >>> 16
    const used = upper === 0 ? avail : upper
    if ((avail & 0x7fff) >= this.queueSize || (used & 0x7fff) >= this.queueSize) return EINVAL
    this.nextAvail = avail & 0x7fff
    this.availWrap = avail >>> 15
    this.nextUsed = used & 0x7fff
    this.usedWrap = used >>> 15
    const ahead = this.nextAvail - this.nextUsed
    if (this.availWrap === this.usedWrap ? ahead < 0 : ahead > 0) return EINVAL
    this.inFlight = this.availWrap === this.usedWrap ? ahead : ahead + this.queueSize
    this.seenSlot = this.nextAvail
    this.seenWrap = this.availWrap
    this.notifications.start()
    this.pendingCount = 0
    this.pendingSingle = true
    this.broken = null
    return 0
  }

  resume(entries = 0): void {
    const past = this.nextUsed + entries >= this.queueSize
    this.nextAvail = past ? this.nextUsed + entries - this.queueSize : this.nextUsed + entries
    this.availWrap = past ? this.usedWrap ^ 1 : this.usedWrap
    this.inFlight = entries
    this.seenSlot = this.nextAvail
    this.seenWrap = this.availWrap
  }

  latch(reason: BrokenReason): number {
    this.broken ??= reason
    return EINVAL
  }

  // In stages that V8 inlines into a round, as those of a split ring.
  popBatch(batch: ChainBatch, max: number): number {
    batch.begin()
    if (this.broken !== null) return EINVAL
    work.charge(LOOK_WORK)
    const { lease } = this
    const room = this.queueSize - this.inFlight
    const most = max < batch.entry.length ? max | 0 : batch.entry.length | 0
    const limit = room < most ? room | 0 : most
    this.reader.begin(this.nextAvail, this.availWrap)
    const taken = lease === null ? 0 : this.takeByLease(lease, batch, limit)
    return this.takeRest(batch, taken, limit, room)
  }

  /**
   * Takes chains of one buffer, a hold after another.
   *
   * @returns chains in the batch
   */
  private takeByLease(lease: RingLease, batch: ChainBatch, limit: number): number {
    const { reader } = this
    let from = 0
    while (from < limit && !reader.empty && lease.hold()) {
      const most = Math.min(limit - from, HOLD_CHAINS, this.queueSize - reader.slot)
      const end = from + most
      const taken = reader.readByLease(lease, batch, from, end)
      // The descriptor that it stopped at was loaded too.
      lease.release(taken < end ? taken - from + 1 : taken - from, 0, 0)
      batch.descriptors = taken
      if (taken < end) return taken
      from = taken
    }
    return from
  }

  /** Takes by windows what is left after `taken` chains, and ends the pop. */
  private takeRest(batch: ChainBatch, taken: number, limit: number, room: number): number {
    const { reader } = this
    const count = taken < limit && !reader.empty ? reader.readByWindows(batch, taken, limit, room) : taken
    work.charge(batch.descriptors)
    this.seenSlot = reader.slot
    this.seenWrap = reader.wrap
    // Chains before a malformed one are worked off first: what stopped them is met again, and latched, as the first.
    if (count < 0) return count === EAGAIN ? EAGAIN : this.latch(reader.refusal)
    batch.count = count
    batch.entries = reader.entries
    this.inFlight += reader.entries
    this.nextAvail = reader.slot
    this.availWrap = reader.wrap
    return count
  }

  recall(batch: ChainBatch, chain: TakenChain): number {
    batch.begin()
    if (this.broken !== null || typeof chain === 'number') return EINVAL
    const taken = this.reader.readTaken(batch, chain)
    work.charge(LOOK_WORK + batch.descriptors)
    batch.count = taken === 1 ? 1 : 0
    return taken
  }

  rewind(batch: ChainBatch, count: number): void {
    const entries = batch.uniform ? count : entriesOf(batch.slots, batch.count - count, count)
    this.inFlight -= entries
    this.nextAvail -= entries
    if (this.nextAvail >= 0) return
    this.nextAvail += this.queueSize
    this.availWrap ^= 1
  }

  push(batch: ChainBatch, chain: number, length: number): void {
    const at = this.pendingCount
    this.elements[2 * at] = batch.used[2 * chain]!
    this.elements[2 * at + 1] = length
    this.slots[at] = batch.slots[chain]!
    if (this.slots[at] !== 1) this.pendingSingle = false
    this.pendingCount = at + 1
  }

  flush(): number {
    if (this.pendingCount === 0) return 0
    const { elements, slots, pendingCount } = this
    const entries = this.pendingSingle ? pendingCount : entriesOf(slots, 0, pendingCount)
    const status = this.publish(elements, slots, 0, pendingCount, entries, true)
    if (status !== 0) return status
    this.pendingCount = 0
    this.pendingSingle = true
    return 0
  }

  useBatch(batch: ChainBatch, count: number): number {
    let status = this.flush()
    if (status === 0 && count > 0) {
      // Skipped buffers count as used completely: true of what the device only reads. VirtIO 1.3 section 2.8.9.
      const readable = batch.flags !== VIRTQ_DESC_F_WRITE
      const one = this.inOrder && readable
      const entries = batch.uniform ? count : entriesOf(batch.slots, 0, count)
      status = this.publish(batch.used, batch.slots, one ? count - 1 : 0, one ? 1 : count, entries, !readable)
    }
    if (status === EAGAIN) for (let chain = 0; chain < count; chain++) this.push(batch, chain, 0)
    return status
  }

  needsNotification(): boolean {
    if (this.broken !== null) return false
    // Orders the stores of used descriptors before the load of the event suppression structure; pairs with the driver's
    // barrier between its store of that structure and its load of a descriptor's flags.
    this.cpu.mb()
    const wanted = this.notifications.wanted(this.nextUsed, this.usedWrap)
    return wanted < 0 ? this.fault(wanted) < 0 : wanted === 1
  }

  disableNotification(): void {
    if (this.notifications.suppressed || this.broken !== null) return
    const status = this.notifications.suppress()
    if (status < 0) this.fault(status)
  }

  enableNotification(): number {
    if (this.broken !== null) return EINVAL
    const status = this.notifications.ask(this.seenSlot, this.seenWrap)
    if (status < 0) return this.fault(status)
    // Orders the store above before the load below; pairs with the driver's barrier between its store of a descriptor's
    // flags and its load of the event suppression structure.
    this.cpu.mb()
    return this.hasMore()
  }

  hasMore(): number {
    if (this.broken !== null) return EINVAL
    if (this.inFlight === this.queueSize) return 0
    const now = this.desc.load16Acquire(PACKED_DESC_BYTES * this.seenSlot + PACKED_DESC_FLAGS_OFFSET)
    if (now < 0) return this.fault(now)
    return isAvailable(now, this.seenWrap) ? 1 : 0
  }

  /**
   * Publishes `stored` used descriptors, from element `from` on; they stand for chains of `entries` ring entries.
   *
   * @param written as {@link PackedPublisher.publishByLease} has it
   */
  private publish(
    elements: Uint32Array,
    slots: Uint16Array,
    from: number,
    stored: number,
    entries: number,
    written: boolean,
  ): number {
    if (this.broken !== null) return EINVAL
    const { publisher, lease } = this
    publisher.begin(this.nextUsed, this.usedWrap)
    let status = 0
    // By lease chains of one entry each. More than a hold may publish goes by windows: an access at a time keeps no notifier waiting.
    if (lease !== null && (entries === stored || stored === 1) && stored <= HOLD_CHAINS && lease.hold())
      lease.release(publisher.publishByLease(lease, elements, from, stored, written), 0, 0)
    else status = publisher.publishByWindow(elements, slots, from, stored, written)
    if (status < 0) return this.fault(status)
    if (this.log !== null) publisher.logTo(this.log, slots, from, stored)
    this.passUsed(entries)
    return 0
  }

  /** Moves the used position on by the ring entries of what was published. */
  private passUsed(entries: number): void {
    this.inFlight -= entries
    this.notifications.passUsed(entries)
    this.nextUsed += entries
    if (this.nextUsed >= this.queueSize) {
      this.nextUsed -= this.queueSize
      this.usedWrap ^= 1
    }
  }

  /** A window failed: a missing translation is asked for again, anything else breaks the queue. */
  private fault(status: number): number {
    if (status !== EAGAIN) this.latch('metadata-fault')
    return status
  }
}
