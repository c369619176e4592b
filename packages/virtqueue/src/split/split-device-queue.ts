import type { Accessor, Cpu, RingLease, Window } from '@vring/accessor'
import {
  AVAIL_IDX_OFFSET,
  EAGAIN,
  EINVAL,
  hasFeature,
  type RingAreas,
  USED_IDX_OFFSET,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_NOTIFY_ON_EMPTY,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import { work } from '@vring/memory'
import type { BrokenReason } from '../broken-reason.ts'
import { type ChainBatch, HOLD_CHAINS, LOOK_WORK } from '../chain-batch.ts'
import { chainMaxOf } from '../chain-max.ts'
import { checkRing } from '../check-ring.ts'
import type { DeviceQueue, DeviceQueueOptions, RingLog, TakenChain } from '../device-queue.ts'
import { SplitChainWalker } from './split-chain-walker.ts'
import { SplitNotifications } from './split-notifications.ts'
import { SplitPublisher } from './split-publisher.ts'
import { SplitReader } from './split-reader.ts'

/**
 * The device side of a split virtqueue.
 *
 * Memory order (VirtIO 1.3 sections 2.7.13, 2.7.14): avail.idx is loaded with acquire, which pairs with the driver's
 * release of it. So ring entries and descriptors loaded after it are the published ones. Publishing is
 * {@link SplitPublisher}'s; what either side asks to be told of, {@link SplitNotifications}'.
 */
export class SplitDeviceQueue implements DeviceQueue {
  readonly accessor: Accessor
  readonly ring: RingAreas
  readonly queueSize: number
  broken: BrokenReason | null = null

  private readonly inOrder: boolean
  private readonly mask: number
  private readonly cpu: Cpu
  private readonly lease: RingLease | null
  private readonly driver: Window
  private readonly device: Window
  private readonly reader: SplitReader
  private readonly publisher: SplitPublisher
  private readonly notifications: SplitNotifications
  private readonly notifyOnEmpty: boolean
  private readonly log: RingLog | null
  /** Next avail index to take (free-running, 16 bits). Linux: last_avail_idx. */
  private nextAvail = 0
  /** Next used index to publish (free-running, 16 bits). Linux: last_used_idx. */
  private usedIdx = 0
  /** avail.idx as last seen. */
  private availIdx = 0
  /** Avail index after what the last popBatch took. */
  private popEnd = 0
  /** Chains that were taken and not published as used. */
  private inFlight = 0
  /** Used elements that are not published. */
  private readonly elements: Uint32Array
  private pendingCount = 0

  /** @throws VringError ERR_OUT_OF_RANGE for an option, ERR_INVALID_ARGUMENT for a ring that is not of the negotiated features */
  constructor(options: DeviceQueueOptions) {
    const { accessor, cpu, ring, features, buffers } = options
    checkRing(ring, features, 'split')
    const nospec = options.nospec !== 'none'
    const indirect = hasFeature(features, VIRTIO_F_INDIRECT_DESC)
    const walker = new SplitChainWalker(cpu, buffers, ring.queueSize, indirect, nospec, chainMaxOf(options))
    this.accessor = accessor
    this.ring = ring
    this.queueSize = ring.queueSize
    this.inOrder = hasFeature(features, VIRTIO_F_IN_ORDER)
    this.mask = ring.queueSize - 1
    this.cpu = cpu
    this.lease = accessor.lease
    this.driver = accessor.driver
    this.device = accessor.device
    this.reader = new SplitReader(accessor, cpu, ring.queueSize, walker, nospec)
    this.notifyOnEmpty = hasFeature(features, VIRTIO_F_NOTIFY_ON_EMPTY)
    this.publisher = new SplitPublisher(cpu, accessor.device)
    this.log = options.log ?? null
    this.notifications = new SplitNotifications(this.driver, this.device, this.queueSize, ring.eventIdx, this.log)
    this.elements = new Uint32Array(2 * ring.queueSize)
  }

  get base(): number {
    return this.nextAvail
  }

  get pending(): number {
    return this.pendingCount
  }

  /** The used index is read from the ring, as a device does that takes a queue over (Linux: vhost_vq_init_access). */
  start(base: number): number {
    const used = this.device.load16(USED_IDX_OFFSET)
    if (used < 0) return this.fault(used)
    this.usedIdx = used
    this.nextAvail = base & 0xffff
    this.availIdx = this.popEnd = this.nextAvail
    // What a device before this one took and did not give back; a base before used.idx says nothing of it.
    const ahead = (this.nextAvail - used) & 0xffff
    this.inFlight = ahead <= this.queueSize ? ahead : 0
    this.notifications.start()
    this.pendingCount = 0
    this.broken = null
    return 0
  }

  resume(entries = 0): void {
    this.nextAvail = (this.usedIdx + entries) & 0xffff
    this.availIdx = this.popEnd = this.nextAvail
    this.inFlight = entries
  }

  latch(reason: BrokenReason): number {
    this.broken ??= reason
    return EINVAL
  }

  // In stages, each below V8's limit for inlining: inlined into a round, the batch is the round's constant, and so is where
  // its columns are. As one function it is a parameter, and the loop makes half as many chains a second.
  popBatch(batch: ChainBatch, max: number): number {
    batch.begin()
    if (this.broken !== null) return EINVAL
    work.charge(LOOK_WORK)
    const { lease } = this
    // As an integer: Math.min would make every comparison of the loop one of doubles.
    const most = max < batch.entry.length ? max | 0 : batch.entry.length | 0
    const held = lease === null || !lease.hold() ? null : lease
    const known = this.waiting
    const looks = known < most ? 1 : 0
    const ready =
      looks === 0 ? known : this.see(held === null ? this.driver.load16Acquire(AVAIL_IDX_OFFSET) : this.loadIdx(held))
    const limit = ready < most ? ready | 0 : most
    const taken = held === null ? 0 : this.takeByLease(held, batch, limit, looks)
    this.popEnd = this.nextAvail
    return limit <= 0 ? limit : this.takeRest(batch, taken, limit)
  }

  /**
   * Inside a hold, which it ends: takes chains of one buffer, a hold after another, after `looks` accesses of the
   * driver area.
   *
   * @returns chains in the batch
   */
  private takeByLease(lease: RingLease, batch: ChainBatch, limit: number, looks: number): number {
    const { reader, nextAvail } = this
    let from = 0
    for (;;) {
      const end = limit - from > HOLD_CHAINS ? from + HOLD_CHAINS : limit
      const taken = reader.readByLease(lease, batch, nextAvail, from, end)
      // The chain that it stopped at was loaded too.
      const loaded = taken < end ? taken - from + 1 : taken - from
      lease.release(loaded, (from === 0 ? looks : 0) + loaded, 0)
      batch.descriptors = batch.entries = taken
      if (taken < end || taken >= limit || !lease.hold()) return taken
      from = taken
    }
  }

  /** Takes by windows what is left after `taken` chains, and ends the pop. */
  private takeRest(batch: ChainBatch, taken: number, limit: number): number {
    const count = taken < limit ? this.reader.readByWindows(batch, this.nextAvail, taken, limit) : taken
    work.charge(batch.descriptors)
    // Chains before a malformed one are worked off first: what stopped them is met again, and latched, as the first.
    if (count < 0) return count === EAGAIN ? EAGAIN : this.latch(this.reader.refusal)
    batch.count = count
    this.nextAvail = this.popEnd = (this.nextAvail + count) & 0xffff
    this.inFlight += count
    return count
  }

  recall(batch: ChainBatch, chain: TakenChain): number {
    batch.begin()
    if (this.broken !== null || typeof chain !== 'number') return EINVAL
    const taken = this.reader.readTaken(batch, chain)
    work.charge(LOOK_WORK + batch.descriptors)
    batch.count = taken === 1 ? 1 : 0
    return taken
  }

  private loadIdx(lease: RingLease): number {
    return this.cpu.load16Acquire(lease.driver16, lease.driverHalf + (AVAIL_IDX_OFFSET >>> 1))
  }

  /** Chains that were available at the last look and are not taken. */
  private get waiting(): number {
    return (this.availIdx - this.nextAvail) & 0xffff
  }

  hasMore(): number {
    if (this.broken !== null) return EINVAL
    const now = this.driver.load16(AVAIL_IDX_OFFSET)
    if (now < 0) return this.fault(now)
    return now === this.popEnd ? 0 : 1
  }

  rewind(_batch: ChainBatch, count: number): void {
    this.nextAvail = (this.nextAvail - count) & 0xffff
    this.inFlight -= count
  }

  push(batch: ChainBatch, chain: number, length: number): void {
    const at = 2 * this.pendingCount
    this.elements[at] = batch.used[2 * chain]!
    this.elements[at + 1] = length
    this.pendingCount++
  }

  flush(): number {
    if (this.pendingCount === 0) return 0
    const status = this.publish(this.elements, 0, this.pendingCount, this.pendingCount)
    if (status === 0) this.pendingCount = 0
    return status
  }

  useBatch(batch: ChainBatch, count: number): number {
    let status = this.flush()
    if (status === 0 && count > 0) {
      // Skipped buffers count as used completely: true of what the device only reads. VirtIO 1.3 section 2.7.9.
      const one = this.inOrder && batch.flags !== VIRTQ_DESC_F_WRITE
      status = this.publish(batch.used, one ? 2 * (count - 1) : 0, one ? 1 : count, count)
    }
    if (status === EAGAIN) for (let chain = 0; chain < count; chain++) this.push(batch, chain, 0)
    return status
  }

  needsNotification(): boolean {
    if (this.broken !== null) return false
    // Orders the store of used.idx before the load of used_event or avail.flags; pairs with the driver's barrier between
    // its store of used_event and its load of used.idx.
    this.cpu.mb()
    if (this.notifyOnEmpty && this.availIdx === this.nextAvail) return true
    const wanted = this.notifications.wanted(this.usedIdx)
    return wanted < 0 ? this.fault(wanted) < 0 : wanted === 1
  }

  disableNotification(): void {
    if (this.notifications.suppressed || this.broken !== null) return
    const status = this.notifications.suppress()
    if (status < 0) this.fault(status)
  }

  /** Source: Linux `vhost_enable_notify`. What was seen and given back does not count as more. */
  enableNotification(): number {
    if (this.broken !== null) return EINVAL
    const seen = this.availIdx
    const status = this.notifications.ask(seen)
    if (status < 0) return this.fault(status)
    // Orders the store above before the load below; pairs with the driver's barrier between its store of avail.idx and
    // its load of avail_event or used.flags.
    this.cpu.mb()
    const ready = this.see(this.driver.load16Acquire(AVAIL_IDX_OFFSET))
    if (ready < 0) return ready
    return this.availIdx === seen ? 0 : 1
  }

  /**
   * Notes avail.idx, checked.
   *
   * @returns how many chains are available and not taken, or a negative errno
   */
  private see(availIdx: number): number {
    if (availIdx < 0) return this.fault(availIdx)
    const ready = (availIdx - this.nextAvail) & 0xffff
    // Chains that the device has not given back count too: a driver that makes entries available again before they are
    // used would have more used elements published at once than the used ring holds.
    if (ready + this.inFlight > this.queueSize) return this.latch('avail-idx-jump')
    this.availIdx = availIdx
    return ready
  }

  /**
   * Stores `stored` used elements from elements[at ..] and moves used.idx on by `count`. More than were stored: in order,
   * the one that is stands for all of them.
   */
  private publish(elements: Uint32Array, at: number, stored: number, count: number): number {
    if (this.broken !== null) return EINVAL
    const slot = this.usedIdx & this.mask
    const usedIdx = (this.usedIdx + count) & 0xffff
    const toEnd = (this.queueSize - slot) | 0
    const first = stored < toEnd ? stored | 0 : toEnd
    const { lease, publisher } = this
    // More than a hold may publish goes by windows: an access at a time keeps no notifier waiting.
    const status =
      lease !== null && stored <= HOLD_CHAINS && lease.hold()
        ? publisher.publishByLease(lease, slot, elements, at, first, stored, usedIdx)
        : publisher.publishByWindow(slot, elements, at, first, stored, usedIdx)
    if (status < 0) return this.fault(status)
    if (this.log !== null) publisher.logTo(this.log, slot, first, stored)
    this.notifications.passUsed(usedIdx, count)
    this.usedIdx = usedIdx
    this.inFlight -= count
    return 0
  }

  /** A window failed: a missing translation is asked for again, anything else breaks the queue. */
  private fault(status: number): number {
    if (status !== EAGAIN) this.latch('metadata-fault')
    return status
  }
}
