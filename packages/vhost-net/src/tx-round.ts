import { checkMethods, EAGAIN, EBUSY, EINVAL, ENOBUFS, NET_HDR_LEGACY_BYTES, refused } from '@vring/layout'
import { ACCESS_READ, type MemoryView, memoryView, work } from '@vring/memory'
import { type BrokenReason, ChainBatch, type DeviceQueue } from '@vring/virtqueue'
import { copyChain } from './copy-chain.ts'
import { FrameBatch, NET_BATCH } from './frame-batch.ts'
import type { NetBackend } from './net-backend.ts'
import {
  FRAME_BYTES_MAX,
  ROUND_BYTES,
  ROUND_PACKETS,
  Round,
  type RoundEnd,
  type RoundGuard,
  type RoundOptions,
} from './round.ts'

/**
 * How frames reach the backend. `in-place`: the backend reads the driver's memory (a frame in several pieces is put
 * together first). `copy`: every frame is copied through the Cpu port first, as the kernel does; `copy-split` copies
 * header and frame one after the other, as Linux 5.0 does.
 */
export type Payload = (typeof PAYLOADS)[number]
const PAYLOADS = ['in-place', 'copy', 'copy-split'] as const

export interface TxRoundOptions extends RoundOptions {
  readonly backend: NetBackend
  /** Default `in-place`, and `copy` for a backend that needs it. */
  readonly payload?: Payload
}

/** Room for one batch of ordinary frames and the longest one. */
const BOUNCE_BYTES = 256 * 1024

// What the stages hand on to each other, written over with every batch. The module's and not a round's: a thread runs one
// round at a time, and V8 then compiles the columns' addresses into the loops.
const chains = new ChainBatch(NET_BATCH)
const frames = new FrameBatch(NET_HDR_LEGACY_BYTES)
/** Where frames are put together or copied to; filled from the front, emptied when it is flushed. */
const bounce: MemoryView = memoryView(new ArrayBuffer(BOUNCE_BYTES))
const guard: RoundGuard = { running: false }

/**
 * The transmit round of a virtio network device. Source: Linux drivers/vhost/net.c, handle_tx_copy: metadata prefetch,
 * up to 256 packets or 512 KiB in batches of 64, each batch handed over, published and signalled at once.
 *
 * Each batch passes through four flat stages: pop chains, resolve buffers to frames, hand the frames over, publish.
 */
export class TxRound extends Round {
  /** Frames dropped because they were longer than {@link FRAME_BYTES_MAX}. */
  oversize = 0
  /** Chains dropped because they were a header and no frame. */
  short = 0

  private readonly backend: NetBackend
  private readonly inPlace: boolean
  private readonly splitCopy: boolean
  private bounceUsed = 0
  /** Where the batch stopped: chains handed over to the backend. */
  private taken = 0
  /** The backend had no room for all frames of the batch. */
  private full = false
  private bytes = 0

  /** @throws VringError ERR_INVALID_ARGUMENT for a backend that is none, or an unknown payload */
  constructor(options: TxRoundOptions) {
    checkMethods('backend', options.backend, 'a NetBackend', ['transmit', 'flush'])
    super(options, guard)
    this.backend = options.backend
    const payload = options.payload ?? (options.backend.needsCopy ? 'copy' : 'in-place')
    if (!PAYLOADS.includes(payload)) throw refused('ERR_INVALID_ARGUMENT', 'payload', payload, PAYLOADS.join(', '))
    this.inPlace = payload === 'in-place'
    this.splitCopy = payload === 'copy-split'
  }

  protected override letGo(): void {
    frames.view = bounce
  }

  protected batches(queue: DeviceQueue): number {
    let packets = 0
    this.bytes = 0
    frames.headerBytes = this.headerBytes
    for (;;) {
      const wanted = Math.min(NET_BATCH, ROUND_PACKETS - packets)
      const popped = queue.popBatch(chains, wanted)
      if (popped <= 0) {
        const more = popped === 0 && this.event ? queue.enableNotification() : popped
        // Whose index comes and goes is looked at no more often than there is work for a round.
        if (more > 0 && !work.full) {
          queue.disableNotification()
          continue
        }
        if (queue.broken !== null) this.end = 'broken'
        else if (more > 0) this.end = 'budget'
        else this.end = more === EAGAIN ? 'miss' : 'empty'
        return packets
      }
      const before = this.bytes
      const stopped = this.transmit(popped)
      packets += this.taken
      work.charge(this.taken)
      work.chargeBytes(this.bytes - before)
      const unpublished = this.taken > 0 ? this.signal(queue, queue.useBatch(chains, this.taken)) : null
      if (stopped !== null || unpublished !== null) {
        this.end = queue.broken === null ? (unpublished ?? stopped!) : 'broken'
        return packets
      }
      if (packets >= ROUND_PACKETS || this.bytes >= ROUND_BYTES || work.full) {
        this.end = 'budget'
        return packets
      }
      // That was nearly all there was. An owner that polls looks again, once the driver has had time to add to it.
      if (popped < wanted && !this.event) {
        this.end = 'empty'
        return packets
      }
    }
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
    while (next < popped && this.bytes < ROUND_BYTES && (next === 0 || !work.full)) {
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
    if (this.taken < popped) this.queue.rewind(chains, popped - this.taken)
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
    const longest = (headerBytes + FRAME_BYTES_MAX) | 0
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
      if (chainBytes <= headerBytes || chainBytes > longest) break
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
    if (total < this.headerBytes) return this.refuse(chain, 'shorter-than-header')
    const short = total === this.headerBytes
    const oversize = total > this.headerBytes + FRAME_BYTES_MAX
    const full = this.bounceUsed + total > BOUNCE_BYTES
    if ((short || oversize || full || frames.view !== bounce) && !this.handOver(chain)) return EBUSY
    if (short || oversize) {
      // Nothing is wrong with the ring: the frame is dropped and counted, its chain given back.
      if (short) this.short++
      else this.oversize++
      this.taken = chain + 1
      return 0
    }
    if (full) {
      this.backend.flush()
      this.bounceUsed = 0
    }
    const to = this.bounceUsed
    const header = this.splitCopy ? this.headerBytes : total
    const status = copyChain(this.cpu, this.buffers, chains, chain, header, bounce, to)
    if (status === EAGAIN) return EAGAIN
    if (status < 0) return this.refuse(chain, status === ENOBUFS ? 'too-many-pieces' : 'buffer-fault')
    frames.view = bounce
    frames.offset[frames.count] = to
    frames.length[frames.count] = total
    frames.count++
    this.bounceUsed = (to + total + 63) & ~63
    this.bytes += total - this.headerBytes
    return 0
  }

  /** Chains before it are good: they are worked off first, and the queue breaks when this one is the first. */
  private refuse(chain: number, reason: BrokenReason): number {
    return chain > 0 ? EBUSY : this.queue.latch(reason)
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
