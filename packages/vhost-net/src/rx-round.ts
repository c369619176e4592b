import {
  checkMethods,
  EAGAIN,
  ENOBUFS,
  hasFeature,
  NET_HDR_LEGACY_BYTES,
  NET_HDR_MRG_BYTES,
  NET_HDR_NUM_BUFFERS_OFFSET,
  VIRTIO_NET_F_MRG_RXBUF,
} from '@vring/layout'
import { type MemoryView, memoryView, work } from '@vring/memory'
import { type BrokenReason, ChainBatch, type DeviceQueue } from '@vring/virtqueue'
import { type FrameBatch, NET_BATCH } from './frame-batch.ts'
import type { FrameSource } from './frame-source.ts'
import { FrameTotals } from './frame-totals.ts'
import { type PayloadLog, PayloadWriter } from './payload-writer.ts'
import { ROUND_BYTES, ROUND_PACKETS, Round, type RoundEnd, type RoundGuard, type RoundOptions } from './round.ts'
import { UnfitChains } from './unfit-chains.ts'

/** Chains that one frame may spread over; a driver whose buffers are so small that more are needed loses the frame. */
export const RX_CHAINS_MAX = 256

export interface RxRoundOptions extends RoundOptions {
  readonly source: FrameSource
  /** The guest-migration log: payload that the device wrote is marked in it. */
  readonly log?: PayloadLog | null
}

// Written over with every batch and frame. The module's and not a round's, as in tx-round.ts.
const chains = new ChainBatch(RX_CHAINS_MAX, 'writable')
/** Bytes to write to each chain of the frame in hand. */
const shares = new Uint32Array(RX_CHAINS_MAX)
/** The one buffer of each frame of a batch that is written whole. */
const segments = new Int32Array(NET_BATCH)
/** The header as this driver gets it. */
const header: MemoryView = memoryView(new ArrayBuffer(NET_HDR_MRG_BYTES))
const guard: RoundGuard = { running: false }

/**
 * The receive round of a virtio network device. Source: Linux drivers/vhost/net.c, handle_rx: metadata prefetch, up to
 * 256 packets or 512 KiB, each frame into one chain or, with MRG_RXBUF, into as many as it needs (`num_buffers`).
 *
 * A frame that no chain can hold is dropped and counted, its chains go back untouched. A driver without buffers stops the
 * round with the frame still waiting. Chains that a frame found too few or too small are not walked again: not for the next frames
 * of the round, which keeps them, and not by later rounds, for frames as long, until the driver adds to them. Every path through the loop counts towards the budget (CVE-2019-3900).
 */
export class RxRound extends Round {
  /** Frames dropped because no chain, or not {@link RX_CHAINS_MAX} of them, could hold them. */
  truncated = 0

  private readonly source: FrameSource
  private readonly mergeable: boolean
  private readonly writer: PayloadWriter
  private readonly delivered = new FrameTotals()
  /** Bytes that this round has delivered, with headers. */
  private roundBytes = 0
  /** Chains in the batch, and the first of them that is not used. */
  private popped = 0
  private next = 0
  private readonly unfit = new UnfitChains()

  /** @throws VringError ERR_INVALID_ARGUMENT for a source that is none */
  constructor(options: RxRoundOptions) {
    checkMethods('source', options.source, 'a FrameSource', ['receive', 'consume'])
    super(options, guard)
    this.source = options.source
    this.mergeable = hasFeature(options.features, VIRTIO_NET_F_MRG_RXBUF)
    this.writer = new PayloadWriter(options.cpu, options.buffers, options.log ?? null)
  }

  /** Frames delivered. */
  get frames(): number {
    return this.delivered.frames
  }

  /** Bytes of those frames, without headers. */
  get bytes(): number {
    return this.delivered.bytes
  }

  protected batches(queue: DeviceQueue): number {
    let packets = 0
    this.roundBytes = 0
    this.popped = this.next = 0
    for (;;) {
      const frames = this.source.receive()
      if (frames.count === 0) {
        this.end = 'empty'
        this.giveBack(queue)
        return packets
      }
      const before = this.roundBytes
      let done = 0
      let stop: RoundEnd | null = null
      while (done < frames.count) {
        if (packets >= ROUND_PACKETS || this.roundBytes >= ROUND_BYTES || work.full) stop = 'budget'
        else stop = this.deliver(queue, frames, done)
        if (stop !== null) break
        this.roundBytes += frames.length[done]!
        const end = this.deliverWhole(queue, frames, done + 1, done + ROUND_PACKETS - packets)
        packets += end - done
        done = end
      }
      this.source.consume(done)
      work.charge(done)
      work.chargeBytes(this.roundBytes - before)
      if (stop !== null) this.giveBack(queue)
      if (done > 0) stop = this.signal(queue, queue.flush()) ?? stop
      // Kicks were suppressed while the driver may have added buffers: look again before the round ends.
      const more = stop === 'no-buffers' && this.event ? queue.enableNotification() : 0
      if (more > 0) {
        queue.disableNotification()
        if (!work.full) continue
        stop = 'budget'
      }
      if (more === EAGAIN) stop = 'miss'
      if (stop !== null || queue.broken !== null) {
        this.giveBack(queue)
        this.end = queue.broken === null ? stop! : 'broken'
        return packets
      }
    }
  }

  /**
   * One frame into the driver's buffers; its chains become pending used elements.
   *
   * @returns null: delivered, or dropped and counted; else why the round ends before it
   */
  private deliver(queue: DeviceQueue, frames: FrameBatch, index: number): RoundEnd | null {
    const from = frames.offset[index]! + frames.headerBytes
    const frameBytes = frames.length[index]! - frames.headerBytes
    const total = this.headerBytes + frameBytes
    // Chains that are in hand are looked at again, not walked.
    if (total >= this.unfit.bytes && this.popped === 0 && this.unfit.remain(queue)) {
      if (!this.unfit.drops) return 'no-buffers'
      this.truncated++
      return null
    }
    let count = this.reserve(total)
    // A chain for each frame that waits, which is all that most drivers need; then whatever there is.
    for (let want = frames.count - index; count === NEED_CHAINS && !this.exhausted(queue); want = RX_CHAINS_MAX) {
      const stop = this.refill(queue, want)
      if (stop !== null) return stop
      count = this.reserve(total)
      if (count === NEED_CHAINS && this.popped < want && !this.exhausted(queue)) {
        this.unfit.note(total, false, this.next)
        return 'no-buffers'
      }
    }
    if (count === NEED_CHAINS || count === TOO_SMALL) {
      this.unfit.note(total, true, this.next)
      this.truncated++
      return null
    }
    if (count === READABLE) return this.refuse(queue, 'readable-in-rx')
    if (count === SHORT) return this.refuse(queue, 'shorter-than-header')
    if (frames.bare) header.u32[0] = header.u32[1] = header.u32[2] = 0
    else this.cpu.copy(header, 0, frames.view, frames.offset[index]!, NET_HDR_LEGACY_BYTES)
    header.u16[NET_HDR_NUM_BUFFERS_OFFSET >>> 1] = count
    const first = this.next
    const status = this.writer.scatter(chains, shares, first, count, header, this.headerBytes, frames.view, from)
    if (status === EAGAIN) return 'miss'
    if (status < 0) return this.refuse(queue, status === ENOBUFS ? 'too-many-pieces' : 'buffer-fault')
    for (let i = 0; i < count; i++) queue.push(chains, first + i, shares[i]!)
    this.next = first + count
    this.delivered.add(1, frameBytes)
    return null
  }

  /**
   * How many of the popped chains a frame of `total` bytes takes, and in share how many bytes each.
   *
   * @returns the count, or NEED_CHAINS, TOO_SMALL, READABLE, SHORT
   */
  private reserve(total: number): number {
    const { segStart, writeStart, length } = chains
    let left = total
    let count = 0
    while (left > 0) {
      if (count > 0 && !this.mergeable) return TOO_SMALL
      const chain = this.next + count
      if (chain >= this.popped) return NEED_CHAINS
      const first = segStart[chain]!
      if (writeStart[chain]! !== first) return READABLE
      work.charge((segStart[chain + 1]! - first) >>> SEGMENT_SHIFT)
      let room = 0
      for (let segment = first; segment < segStart[chain + 1]!; segment++) room += length[segment]!
      if (count === 0 && room < this.headerBytes) return SHORT
      const share = Math.min(room, left)
      shares[count] = share
      left -= share
      count++
    }
    return count
  }

  /**
   * No refill gives the frame in hand more chains than it has: it is the first of the batch, which is as long as it may be or has
   * the whole ring, as far as its driver can fill it with chains like these.
   */
  private exhausted({ queueSize }: DeviceQueue): boolean {
    const { popped } = this
    if (this.next > 0 || popped === 0) return false
    if (popped === RX_CHAINS_MAX || chains.descriptors >= chains.descriptorLimit) return true
    return (queueSize - chains.entries) * popped < chains.entries
  }

  /** What was taken and not used goes back to the ring. */
  private giveBack(queue: DeviceQueue): void {
    queue.rewind(chains, this.popped - this.next)
    this.unfit.gaveBack(queue, this.next)
    this.popped = this.next = 0
  }

  /**
   * Gives unused chains back and takes a new batch of at most `want`. What is delivered is published first: should the next
   * chain break the queue, the frames before it have reached the driver.
   */
  private refill(queue: DeviceQueue, want: number): RoundEnd | null {
    const status = queue.flush()
    if (status < 0) return status === EAGAIN ? 'miss' : 'broken'
    this.giveBack(queue)
    const popped = queue.popBatch(chains, want)
    if (popped === EAGAIN) return 'miss'
    if (popped < 0) return 'broken'
    this.popped = popped
    return popped === 0 ? 'no-buffers' : null
  }

  /** Frames before this one are delivered: they are published before the queue breaks. */
  private refuse(queue: DeviceQueue, reason: BrokenReason): 'broken' {
    queue.flush()
    queue.latch(reason)
    return 'broken'
  }

  /**
   * Hot: delivers frames from `first` as long as each fits the one buffer of the next chain; the others are {@link deliver}'s.
   *
   * @param limit no frame from here on
   * @returns the first frame that is left
   */
  private deliverWhole(queue: DeviceQueue, frames: FrameBatch, first: number, limit: number): number {
    if (this.headerBytes !== NET_HDR_MRG_BYTES || frames.headerBytes !== NET_HDR_MRG_BYTES) return first
    const { writer } = this
    const { address } = chains
    const { length } = frames
    const fitting = this.fitWhole(length, first, Math.min(frames.count, limit))
    const count = writer.locate(address, segments, length, first, fitting)
    if (count === 0) return first
    writer.putWhole(frames, first, count)
    writer.noteWhole(address, segments, length, first, count)
    this.pushWhole(queue, length, first, count)
    return first + count
  }

  /** Hot: how many frames, from `first` to before `last`, fit the one buffer of the next chain each; its segment in {@link segments}. */
  private fitWhole(frameLength: Int32Array, first: number, last: number): number {
    const { uniform, segStart, writeStart, length } = chains
    const room = (ROUND_BYTES - this.roundBytes) | 0
    const most = Math.max(0, Math.min(last - first, this.popped - this.next)) | 0
    let bytes = 0
    let chain = this.next | 0
    for (let i = 0; i < most; i = (i + 1) | 0) {
      let segment = chain
      if (uniform !== true) {
        segment = segStart[chain]! | 0
        if (segStart[(chain + 1) | 0]! !== segment + 1 || writeStart[chain]! !== segment) return i
      }
      const total = frameLength[(first + i) | 0]!
      if (bytes >= room || total < WHOLE_BYTES_MIN || length[segment]! < total) return i
      segments[i] = segment
      bytes = (bytes + total) | 0
      chain = (chain + 1) | 0
    }
    return most
  }

  /** Hot: makes the next `count` chains pending used elements, of frames from `first` on. */
  private pushWhole(queue: DeviceQueue, length: Int32Array, first: number, count: number): void {
    let bytes = 0
    let chain = this.next | 0
    for (let i = 0; i < count; i = (i + 1) | 0) {
      const total = length[(first + i) | 0]!
      queue.push(chains, chain, total)
      bytes = (bytes + total) | 0
      chain = (chain + 1) | 0
    }
    this.next = chain
    this.delivered.add(count, bytes - NET_HDR_MRG_BYTES * count)
    this.roundBytes += bytes
  }
}

/** A header and one word of its frame: what is stored of each frame before the frames are copied. */
const WHOLE_BYTES_MIN = NET_HDR_MRG_BYTES + 4

/** Segments whose lengths are summed for a unit of work: 16. */
const SEGMENT_SHIFT = 4

const NEED_CHAINS = -1
const TOO_SMALL = -2
const READABLE = -3
const SHORT = -4
