import type { Cpu } from '@vring/accessor'
import { EAGAIN, EBUSY, EINVAL, EXDEV, netHeaderBytes } from '@vring/layout'
import { ACCESS_READ, type AddressMap, type MemoryView, memoryView } from '@vring/memory'
import { ChainBatch, type DeviceQueue } from '@vring/virtqueue'
import { FrameBatch, NET_BATCH } from './frame-batch.ts'
import type { NetBackend } from './net-backend.ts'
import { FRAME_BYTES_MAX, ROUND_BYTES, ROUND_DESCRIPTORS, ROUND_PACKETS, type RoundEnd, roundInRound } from './round.ts'

/**
 * How frames reach the backend. `in-place`: the backend reads the driver's memory (a frame in several pieces is put
 * together first). `copy`: every frame is copied through the Cpu port first, as the kernel does; `copy-split` copies
 * header and frame one after the other, as Linux 5.0 does.
 */
export type Payload = 'in-place' | 'copy' | 'copy-split'

export interface TxRoundOptions {
  readonly queue: DeviceQueue
  /** Where the driver's buffers are: a guest-physical map, or the IOTLB over it. */
  readonly buffers: AddressMap
  readonly backend: NetBackend
  readonly cpu: Cpu
  /** Negotiated feature bits: they give the length of the virtio-net header. */
  readonly features: bigint
  /** Default `in-place`, and `copy` for a backend that needs it. */
  readonly payload?: Payload
  /**
   * `event`: a round that runs empty asks the driver to notify, as the kernel's worker does. `poll`: the owner polls, and
   * calls {@link DeviceQueue.enableNotification} before it sleeps; a round then ends with a batch that is not full, as each
   * look takes cache lines away from the driver. Default `event`.
   */
  readonly notification?: 'event' | 'poll'
  /** Notifies the driver (writes the call eventfd). Called at most once a batch. */
  readonly notify?: () => void
}

/** Room for one batch of ordinary frames and the longest one. */
const BOUNCE_BYTES = 256 * 1024

// What the stages hand on to each other, written over with every batch. The module's and not a round's: a thread runs one
// round at a time, and V8 then compiles the columns' addresses into the loops (docs/adr/0030).
const chains = new ChainBatch(NET_BATCH)
const frames = new FrameBatch(0)
/** Where frames are put together or copied to; filled from the front, emptied when it is flushed. */
const bounce: MemoryView = memoryView(new ArrayBuffer(BOUNCE_BYTES))
/** A round has them. */
let running = false

/**
 * The transmit round of a virtio network device. Source: Linux drivers/vhost/net.c, handle_tx_copy: metadata prefetch,
 * up to 256 packets or 512 KiB in batches of 64, each batch handed over, published and signalled at once.
 *
 * Each batch passes through four flat stages: pop chains, resolve buffers to frames, hand the frames over, publish.
 */
export class TxRound {
  /** How the last round ended. */
  end: RoundEnd = 'empty'
  /** Frames dropped because they were longer than {@link FRAME_BYTES_MAX}. */
  oversize = 0

  private readonly queue: DeviceQueue
  private readonly buffers: AddressMap
  private readonly backend: NetBackend
  private readonly cpu: Cpu
  private readonly notify: () => void
  private readonly inPlace: boolean
  private readonly splitCopy: boolean
  private readonly event: boolean
  private readonly headerBytes: number
  private bounceUsed = 0
  /** Where the batch stopped: chains handed over to the backend. */
  private taken = 0
  /** The backend had no room for all frames of the batch. */
  private full = false
  private bytes = 0

  constructor(options: TxRoundOptions) {
    this.queue = options.queue
    this.buffers = options.buffers
    this.backend = options.backend
    this.cpu = options.cpu
    this.notify = options.notify ?? ignore
    const payload = options.payload ?? (options.backend.needsCopy ? 'copy' : 'in-place')
    this.inPlace = payload === 'in-place'
    this.splitCopy = payload === 'copy-split'
    this.event = (options.notification ?? 'event') === 'event'
    this.headerBytes = netHeaderBytes(options.features)
  }

  /**
   * Runs one round.
   *
   * @returns packets handled; why it ended is in {@link end}
   * @throws VringError ERR_INVALID_STATE in the middle of another one in this thread, which only a backend or `notify` can do
   */
  run(): number {
    const queue = this.queue
    if (queue.broken !== null) {
      this.end = 'broken'
      return 0
    }
    if (running) throw roundInRound('TxRound')
    running = true
    frames.headerBytes = this.headerBytes
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
      frames.view = bounce
      accessor.endRound()
    }
  }

  private batches(queue: DeviceQueue): number {
    let packets = 0
    let walked = 0
    this.bytes = 0
    // What a missing translation kept from being published in the round before.
    if (queue.pendingUsed > 0) {
      const unpublished = this.publish(queue, 0)
      if (unpublished !== null) {
        this.end = unpublished
        return 0
      }
    }
    for (;;) {
      const wanted = Math.min(NET_BATCH, ROUND_PACKETS - packets)
      const popped = queue.popBatch(chains, wanted)
      if (popped <= 0) {
        const more = popped === 0 && this.event ? queue.enableNotification() : popped
        if (more > 0) {
          queue.disableNotification()
          continue
        }
        if (queue.broken !== null) this.end = 'broken'
        else this.end = more === EAGAIN ? 'miss' : 'empty'
        return packets
      }
      walked += chains.walked
      const stopped = this.transmit(popped)
      packets += this.taken
      const unpublished = this.taken > 0 ? this.publish(queue, this.taken) : null
      if (stopped !== null || unpublished !== null) {
        this.end = queue.broken === null ? (unpublished ?? stopped!) : 'broken'
        return packets
      }
      if (packets >= ROUND_PACKETS || this.bytes >= ROUND_BYTES || walked >= ROUND_DESCRIPTORS) {
        this.end = 'budget'
        return packets
      }
      // That was all there was. Who polls looks again himself, once the driver has had time to add to it.
      if (popped < wanted && !this.event && queue.waiting === 0) {
        this.end = 'empty'
        return packets
      }
    }
  }

  /**
   * Publishes what is pending and the first `count` chains, and signals if the driver asks for it.
   *
   * @returns null, or why it could not
   */
  private publish(queue: DeviceQueue, count: number): RoundEnd | null {
    const status = queue.useBatch(chains, count)
    if (status < 0) return status === EAGAIN ? 'miss' : 'broken'
    if (queue.needsNotification()) this.notify()
    return null
  }

  /**
   * Resolves the popped chains to frames and hands them over; in {@link taken} how many chains are done. Those that are
   * not go back to the queue.
   *
   * @returns why the round ends here, or null: it goes on
   */
  private transmit(popped: number): RoundEnd | null {
    this.taken = 0
    this.full = false
    this.bounceUsed = 0
    frames.count = 0
    let next = 0
    let stopped: RoundEnd | null = null
    while (next < popped && this.bytes < ROUND_BYTES) {
      if (this.inPlace) {
        const collected = this.collect(next, popped)
        if (collected > next) {
          next = collected
          continue
        }
        // The next chain lies in another view, or in pieces. Only when nothing is collected is it the latter.
        if (frames.count > 0) {
          if (this.handOver(next)) continue
          break
        }
      }
      const refused = this.gather(next)
      if (refused !== 0) {
        if (refused === EAGAIN) stopped = 'miss'
        else if (refused === EINVAL) stopped = 'broken'
        break
      }
      next++
    }
    if (!this.full) this.handOver(next)
    this.backend.flush()
    if (this.taken < popped) this.queue.rewind(popped - this.taken)
    return this.full ? 'backpressure' : stopped
  }

  /**
   * Hot: makes frames of consecutive chains that are one contiguous readable buffer each.
   *
   * @returns the first chain that is not, or that lies beyond the round's bytes
   */
  private collect(first: number, popped: number): number {
    const { uniform, segStart, writeStart, address, length } = chains
    const buffers = this.buffers
    const { offset, length: frameLength } = frames
    // As integers: V8 then keeps the loop's counters in registers, untagged.
    const headerBytes = this.headerBytes | 0
    const last = popped | 0
    let bytes = this.bytes | 0
    let count = frames.count | 0
    let chain = first | 0
    let view = frames.view
    for (; chain < last; chain++) {
      let segment = chain
      if (uniform !== true) {
        segment = segStart[chain]! | 0
        if (segStart[chain + 1]! !== segment + 1 || writeStart[chain]! !== segment + 1) break
      }
      const chainBytes = length[segment]!
      if (chainBytes <= headerBytes || chainBytes > headerBytes + FRAME_BYTES_MAX) break
      const at = buffers.resolve(address[segment]!, chainBytes, ACCESS_READ)
      if (at < 0) break
      if (buffers.view !== view) {
        if (count > 0) break
        view = buffers.view
      }
      offset[count] = at
      frameLength[count] = chainBytes
      count++
      bytes = (bytes + chainBytes - headerBytes) | 0
      if (bytes >= ROUND_BYTES) {
        chain++
        break
      }
    }
    frames.view = view
    frames.count = count
    this.bytes = bytes
    return chain
  }

  /**
   * Copies chain `chain` to the bounce buffer and makes a frame of it.
   *
   * @returns 0, -EAGAIN (a translation is missing), -EINVAL (the queue is broken), -EBUSY (end the batch before it)
   */
  private gather(chain: number): number {
    const { segStart, writeStart, length } = chains
    const first = segStart[chain]!
    const last = segStart[chain + 1]!
    if (writeStart[chain]! !== last) return this.refuse(chain, 'writable-in-tx')
    let total = 0
    for (let segment = first; segment < last; segment++) total += length[segment]!
    if (total <= this.headerBytes) return this.refuse(chain, 'shorter-than-header')
    const oversize = total > this.headerBytes + FRAME_BYTES_MAX
    const full = this.bounceUsed + total > BOUNCE_BYTES
    if ((oversize || full || frames.view !== bounce) && !this.handOver(chain)) return EBUSY
    if (oversize) {
      // Nothing is wrong with the ring: the frame is dropped and counted, its chain given back.
      this.oversize++
      this.taken = chain + 1
      return 0
    }
    if (full) {
      this.backend.flush()
      this.bounceUsed = 0
    }
    const to = this.bounceUsed
    const status = this.copyChain(first, last, total, to)
    if (status === EAGAIN) return EAGAIN
    if (status < 0) return this.refuse(chain, 'buffer-fault')
    frames.view = bounce
    frames.offset[frames.count] = to
    frames.length[frames.count] = total
    frames.count++
    this.bounceUsed = (to + total + 63) & ~63
    this.bytes += total - this.headerBytes
    return 0
  }

  /** Chains in front of it are good: they are worked off first, and the queue breaks when this one is in front. */
  private refuse(chain: number, reason: 'writable-in-tx' | 'shorter-than-header' | 'buffer-fault'): number {
    return chain > 0 ? EBUSY : this.queue.latch(reason)
  }

  /** Copies segments first .. last - 1 to the bounce buffer at `to`; one stac and clac pair a copy. */
  private copyChain(first: number, last: number, total: number, to: number): number {
    const cpu = this.cpu
    const headerBytes = this.headerBytes
    const boundary = this.splitCopy ? headerBytes : total
    cpu.stac()
    let done = 0
    for (let segment = first; segment < last; segment++) {
      let address = chains.address[segment]!
      let left = chains.length[segment]!
      while (left > 0) {
        if (done === boundary && this.splitCopy) {
          cpu.clac()
          cpu.stac()
        }
        const want = done < boundary ? Math.min(left, boundary - done) : left
        const copied = this.copyPiece(address, want, to + done)
        if (copied < 0) {
          cpu.clac()
          return copied
        }
        address += copied
        left -= copied
        done += copied
      }
    }
    cpu.clac()
    return 0
  }

  /** Copies up to `length` bytes that are contiguous; how many, or a negative errno. */
  private copyPiece(address: number, length: number, to: number): number {
    const buffers = this.buffers
    let at = this.cpu.translate(buffers, address, length, ACCESS_READ)
    let span = length
    if (at === EXDEV) {
      at = buffers.resolveSpan(address, length, ACCESS_READ)
      span = buffers.span
    }
    if (at < 0) return at
    this.cpu.copy(bounce, to, buffers.view, at, span)
    return span
  }

  /** Hands the collected frames over; chains before `upTo` are then done. False: the backend had no room for all. */
  private handOver(upTo: number): boolean {
    const count = frames.count
    const accepted = count === 0 ? 0 : this.backend.transmit(frames)
    frames.count = 0
    this.full = accepted < count
    this.taken = this.full ? this.taken + accepted : upTo
    return !this.full
  }
}

function ignore(): void {}
