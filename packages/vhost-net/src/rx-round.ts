import type { Cpu } from '@vring/accessor'
import {
  EAGAIN,
  EXDEV,
  hasFeature,
  NET_HDR_LEGACY_BYTES,
  NET_HDR_MRG_BYTES,
  NET_HDR_NUM_BUFFERS_OFFSET,
  netHeaderBytes,
  VIRTIO_NET_F_MRG_RXBUF,
} from '@vring/layout'
import { ACCESS_WRITE, type AddressMap, type MemoryView, memoryView } from '@vring/memory'
import { ChainBatch, type DeviceQueue } from '@vring/virtqueue'
import type { FrameBatch } from './frame-batch.ts'
import type { FrameSource } from './frame-source.ts'
import { FrameTotals } from './frame-totals.ts'
import { ROUND_BYTES, ROUND_DESCRIPTORS, ROUND_PACKETS, type RoundEnd, roundInRound } from './round.ts'

/** Chains that one frame may spread over; a driver whose buffers are so small that more are needed loses the frame. */
export const RX_CHAINS_MAX = 256

export interface RxRoundOptions {
  readonly queue: DeviceQueue
  /** Where the driver's buffers are: a guest-physical map, or the IOTLB over it. */
  readonly buffers: AddressMap
  readonly source: FrameSource
  readonly cpu: Cpu
  /** Negotiated feature bits: header length, and MRG_RXBUF lets a frame spread over several chains. */
  readonly features: bigint
  /** As in TxRoundOptions. */
  readonly notification?: 'event' | 'poll'
  /** Notifies the driver (writes the call eventfd). Called at most once a batch. */
  readonly notify?: () => void
  /** The guest-migration log: payload that the device wrote is marked in it. */
  readonly log?: { write(address: number, length: number): void } | null
}

// Written over with every batch and frame. The module's and not a round's, as in tx-round.ts.
const chains = new ChainBatch(RX_CHAINS_MAX, 'writable')
/** Bytes to write to each chain of the frame in hand. */
const shares = new Uint32Array(RX_CHAINS_MAX)
/** The header as this driver gets it. */
const header: MemoryView = memoryView(new ArrayBuffer(NET_HDR_MRG_BYTES))
/** A round has them. */
let running = false

/**
 * The receive round of a virtio network device. Source: Linux drivers/vhost/net.c, handle_rx: metadata prefetch, up to
 * 256 packets or 512 KiB, each frame into one chain or, with MRG_RXBUF, into as many as it needs (`num_buffers`).
 *
 * A frame that no chain can hold is dropped and counted, its chains go back untouched. A driver without buffers stops the
 * round with the frame still waiting. Every path through the loop counts towards the budget (CVE-2019-3900).
 */
export class RxRound {
  /** How the last round ended. */
  end: RoundEnd = 'empty'
  /** Frames dropped because no chain, or not {@link RX_CHAINS_MAX} of them, could hold them. */
  truncated = 0

  private readonly queue: DeviceQueue
  private readonly buffers: AddressMap
  private readonly source: FrameSource
  private readonly cpu: Cpu
  private readonly notify: () => void
  private readonly event: boolean
  private readonly headerBytes: number
  private readonly mergeable: boolean
  private readonly log: { write(address: number, length: number): void } | null
  private readonly delivered = new FrameTotals()
  /** Bytes that this round has delivered, with headers. */
  private roundBytes = 0
  /** Chains in the batch, and the first of them that is not used. */
  private popped = 0
  private next = 0
  /** Descriptors of chains that this round has walked. */
  private walked = 0

  constructor(options: RxRoundOptions) {
    this.queue = options.queue
    this.buffers = options.buffers
    this.source = options.source
    this.cpu = options.cpu
    this.notify = options.notify ?? ignore
    this.event = (options.notification ?? 'event') === 'event'
    this.headerBytes = netHeaderBytes(options.features)
    this.mergeable = hasFeature(options.features, VIRTIO_NET_F_MRG_RXBUF)
    this.log = options.log ?? null
  }

  /** Frames delivered. */
  get frames(): number {
    return this.delivered.frames
  }

  /** Bytes of those frames, without headers. */
  get bytes(): number {
    return this.delivered.bytes
  }

  /**
   * Runs one round.
   *
   * @returns frames taken from the source; why it ended is in {@link end}
   * @throws VringError ERR_INVALID_STATE in the middle of another one in this thread, which only a source or `notify` can do
   */
  run(): number {
    const queue = this.queue
    if (queue.broken !== null) {
      this.end = 'broken'
      return 0
    }
    if (running) throw roundInRound('RxRound')
    running = true
    const accessor = queue.accessor
    try {
      if (accessor.beginRound() === 'miss') {
        this.end = 'miss'
        return 0
      }
      queue.disableNotification()
      return this.batches(queue)
    } finally {
      // First what is this module's: an accessor that throws must not keep the other queues of the thread from it.
      running = false
      accessor.endRound()
    }
  }

  private batches(queue: DeviceQueue): number {
    let packets = 0
    this.roundBytes = 0
    this.walked = 0
    // What a missing translation kept from being published in the round before.
    if (queue.pendingUsed > 0) {
      const unpublished = this.publish(queue)
      if (unpublished !== null) {
        this.end = unpublished
        return 0
      }
    }
    for (;;) {
      const frames = this.source.receive()
      if (frames.count === 0) {
        this.end = 'empty'
        return packets
      }
      this.popped = this.next = 0
      let done = 0
      let stop: RoundEnd | null = null
      while (done < frames.count) {
        if (packets >= ROUND_PACKETS || this.roundBytes >= ROUND_BYTES || this.walked >= ROUND_DESCRIPTORS)
          stop = 'budget'
        else stop = this.deliver(queue, frames, done)
        if (stop !== null) break
        this.roundBytes += frames.length[done]!
        const end = this.deliverWhole(queue, frames, done + 1, done + ROUND_PACKETS - packets)
        packets += end - done
        done = end
      }
      queue.rewind(this.popped - this.next)
      this.source.consume(done)
      if (done > 0) stop = this.publish(queue) ?? stop
      // Kicks were suppressed while the driver may have added buffers: look again before the round ends.
      const more = stop === 'no-buffers' && this.event ? queue.enableNotification() : 0
      if (more > 0) {
        queue.disableNotification()
        continue
      }
      if (more === EAGAIN) stop = 'miss'
      if (stop !== null || queue.broken !== null) {
        this.end = queue.broken === null ? stop! : 'broken'
        return packets
      }
    }
  }

  /**
   * Publishes what is pending, and signals if the driver asks for it. A broken queue can't be asked: there it is signalled, as
   * frames in front of what broke it have been published.
   *
   * @returns null, or why it could not
   */
  private publish(queue: DeviceQueue): RoundEnd | null {
    const status = queue.flushUsed()
    if (status === EAGAIN) return 'miss'
    if (queue.broken !== null || queue.needsNotification()) this.notify()
    return status < 0 ? 'broken' : null
  }

  /**
   * One frame into the driver's buffers; its chains become pending used elements.
   *
   * @returns null: delivered, or dropped and counted; else why the round ends in front of it
   */
  private deliver(queue: DeviceQueue, frames: FrameBatch, index: number): RoundEnd | null {
    const from = frames.offset[index]! + frames.headerBytes
    const frameBytes = frames.length[index]! - frames.headerBytes
    const total = this.headerBytes + frameBytes
    let count = this.reserve(total)
    // A chain for each frame that waits, which is all that most drivers need; then whatever there is.
    for (let want = frames.count - index; count === NEED_CHAINS; want = RX_CHAINS_MAX) {
      const stop = this.refill(queue, want)
      if (stop !== null) return stop
      count = this.reserve(total)
      // Of a batch that was cut because its chains are long, or of a ring that is on offer as a whole, no more can come.
      if (count === NEED_CHAINS && this.popped < want) {
        if (this.popped < queue.queueSize && chains.walked + this.popped < chains.segmentLimit) return 'no-buffers'
        break
      }
      if (want === RX_CHAINS_MAX) break
    }
    if (count === NEED_CHAINS || count === TOO_SMALL) {
      this.truncated++
      return null
    }
    if (count === READABLE) return this.refuse(queue, 'readable-in-rx')
    this.cpu.copy(header, 0, frames.view, frames.offset[index]!, NET_HDR_LEGACY_BYTES)
    header.u16[NET_HDR_NUM_BUFFERS_OFFSET >>> 1] = count
    const first = this.next
    const status = this.scatter(first, count, frames.view, from)
    if (status === EAGAIN) return 'miss'
    if (status < 0) return this.refuse(queue, 'buffer-fault')
    for (let i = 0; i < count; i++) queue.pushUsed(chains.headOf(first + i), shares[i]!)
    this.next = first + count
    this.delivered.add(1, frameBytes)
    return null
  }

  /**
   * How many of the popped chains a frame of `total` bytes takes, and in share how many bytes each.
   *
   * @returns the count, or NEED_CHAINS, TOO_SMALL, READABLE
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
      let room = 0
      for (let segment = first; segment < segStart[chain + 1]!; segment++) room += length[segment]!
      const share = Math.min(room, left)
      shares[count] = share
      left -= share
      count++
    }
    return count
  }

  /**
   * Gives unused chains back and takes a new batch of at most `want`. What is delivered is published first: should the next
   * chain break the queue, the frames in front of it have reached the driver.
   */
  private refill(queue: DeviceQueue, want: number): RoundEnd | null {
    const status = queue.flushUsed()
    if (status < 0) return status === EAGAIN ? 'miss' : 'broken'
    queue.rewind(this.popped - this.next)
    this.popped = this.next = 0
    const ready = queue.fetchAvailIdx()
    const popped = ready > 0 ? queue.popBatch(chains, want) : ready
    if (popped > 0) this.walked += chains.walked
    if (popped === EAGAIN) return 'miss'
    if (popped < 0) return 'broken'
    this.popped = popped
    return popped === 0 ? 'no-buffers' : null
  }

  /** Frames in front of this one are delivered: they are published before the queue breaks. */
  private refuse(queue: DeviceQueue, reason: 'readable-in-rx' | 'buffer-fault'): 'broken' {
    queue.flushUsed()
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
    const { used, segStart, writeStart, address, length } = chains
    const { offset, length: frameLength, view } = frames
    const last = Math.min(frames.count, limit)
    const room = ROUND_BYTES - this.roundBytes
    let chain = this.next
    let bytes = 0
    let index = first
    for (; index < last && chain < this.popped && bytes < room; index++) {
      const segment = segStart[chain]!
      const total = frameLength[index]!
      if (segStart[chain + 1]! !== segment + 1 || writeStart[chain]! !== segment || length[segment]! < total) break
      if (this.putWhole(address[segment]!, total, view, offset[index]!) < 0) break
      queue.pushUsed(used[2 * chain]!, total)
      bytes += total
      chain++
    }
    this.next = chain
    this.delivered.add(index - first, bytes - NET_HDR_MRG_BYTES * (index - first))
    this.roundBytes += bytes
    return index
  }

  /**
   * Writes header and frame in one piece, num_buffers behind them: put together in memory of our own first, the header would
   * be loaded again before its halves have left the store buffer, in which others wait for their cache lines.
   *
   * @returns 0, or a negative errno: nothing was written
   */
  private putWhole(address: number, total: number, view: MemoryView, from: number): number {
    const { cpu, buffers } = this
    cpu.stac()
    const at = cpu.translate(buffers, address, total, ACCESS_WRITE)
    const aligned = at >= 0 && (at & 1) === 0
    if (aligned) {
      cpu.copy(buffers.view, at, view, from, total)
      cpu.store16(buffers.view, at + NET_HDR_NUM_BUFFERS_OFFSET, 1)
    }
    cpu.clac()
    if (!aligned) return at < 0 ? at : EXDEV
    // Data first, then the log: a reader of the log must find what it points at.
    if (this.log !== null) this.log.write(address, total)
    return 0
  }

  /** Writes header and frame to `count` chains from `first`, share[i] bytes to each; 0 or a negative errno. */
  private scatter(first: number, count: number, view: MemoryView, from: number): number {
    const { segStart, address, length } = chains
    const headerBytes = this.headerBytes
    // Position in header and frame together.
    let done = 0
    for (let i = 0; i < count; i++) {
      let left = shares[i]!
      for (let segment = segStart[first + i]!; left > 0; segment++) {
        const bytes = Math.min(left, length[segment]!)
        const inHeader = done < headerBytes ? Math.min(bytes, headerBytes - done) : 0
        let status = inHeader > 0 ? this.put(address[segment]!, header, done, inHeader) : 0
        if (status === 0 && inHeader < bytes)
          status = this.put(address[segment]! + inHeader, view, from + done + inHeader - headerBytes, bytes - inHeader)
        if (status < 0) return status
        done += bytes
        left -= bytes
      }
    }
    return 0
  }

  /** Copies `length` bytes to the driver's buffer at `address`, piecewise where it is not contiguous. */
  private put(address: number, from: MemoryView, fromOffset: number, length: number): number {
    const cpu = this.cpu
    const buffers = this.buffers
    cpu.stac()
    let status = 0
    for (let done = 0; done < length; ) {
      let span = length - done
      let at = cpu.translate(buffers, address + done, span, ACCESS_WRITE)
      if (at === EXDEV) {
        at = buffers.resolveSpan(address + done, span, ACCESS_WRITE)
        span = buffers.span
      }
      if (at < 0) {
        status = at
        break
      }
      cpu.copy(buffers.view, at, from, fromOffset + done, span)
      done += span
    }
    cpu.clac()
    // Data first, then the log: a reader of the log must find what it points at.
    if (status === 0 && this.log !== null) this.log.write(address, length)
    return status
  }
}

const NEED_CHAINS = -1
const TOO_SMALL = -2
const READABLE = -3

function ignore(): void {}
