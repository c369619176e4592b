import { ETH_HEADER_BYTES, NET_HDR_GSO_TYPE_OFFSET, NET_HDR_MRG_BYTES, VIRTIO_NET_HDR_GSO_NONE } from '@vring/layout'
import { nativeAddress, setTunHeaderBytes, setTunQueueAttached, systemErrnoName, systemErrnoOf } from '@vring/linux'
import { type MemoryView, memoryView } from '@vring/memory'
import {
  FRAME_BYTES_MAX,
  FrameBatch,
  type FrameSource,
  FrameTotals,
  type NetBackend,
  touchFrames,
} from '@vring/vhost-net'
import { DropCounters } from '../drop-counters.ts'
import type { TapQueueCounters } from '../tap-counters.ts'
import type { FrameReceiver } from './frame-receiver.ts'
import type { FrameSender, TapIo } from './frame-sender.ts'
import { openTapChannel } from './tap-channel.ts'
import type { TapQueueHandle } from './tap-queue-handle.ts'

export interface LinuxTapQueueOptions {
  /** `auto`: io_uring, or readv and writev where it is missing or refused. Default `auto`. */
  readonly io?: TapIo | 'auto'
}

/** EBADFD, ENODEV: the interface was deleted. */
const GONE: readonly number[] = [77, 19]
/** The interface is down. Source: Linux drivers/net/tun.c, tun_get_user. */
const EIO = 5
/** A customer's and a provider's (IEEE 802.1ad). */
const VLAN_TAGS_BYTES = 8
/** Batches that {@link LinuxTapQueue.drop} reads at most: more than a queue holds by default, whatever comes meanwhile. */
const DRAINED_BATCHES = 256
/** Reads in turn that find nothing: one may only learn that its poll is over. */
const EMPTY_READS = 3

/** The longest frame without segmentation offload under an MTU, in bytes. */
export function tapFrameBytes(mtu: number): number {
  return mtu + ETH_HEADER_BYTES + VLAN_TAGS_BYTES
}

/**
 * A queue of a Linux TAP: takes frames from a driver and gives frames to it.
 *
 * No payload is copied here. The kernel reads frames where the driver left them. Header and frame are in one piece, by
 * the native address of the view that they lie in. A batch is one system call in each direction.
 *
 * Dropped and counted: `short` (less than an Ethernet header), `oversize` (longer than the MTU allows and no GSO
 * frame), `gone` (the interface was deleted), `down` (it is down). What else the kernel refuses is counted by errno:
 * `EINVAL` for a virtio-net header that lies. Of frames for the driver also `no-driver`: they waited while no driver
 * could receive them.
 */
export class LinuxTapQueue implements NetBackend, FrameSource {
  readonly name: string
  readonly handle: TapQueueHandle
  /** How frames cross. */
  readonly io: TapIo
  /** Why io_uring is not used where it was wanted, or null. */
  readonly ioRefusal: string | null
  /** The interface was deleted, or this is closed: nothing is sent or received. */
  gone = false
  private readonly sender: FrameSender
  private readonly receiver: FrameReceiver
  private readonly drops = new DropCounters()
  private readonly rxDrops = new DropCounters()
  private readonly refused: (errno: number) => void
  private headerBytes: number
  private readonly headerNow: Int32Array
  private readonly frameNow: Int32Array
  private view: MemoryView | null = null
  private base = 0
  private readonly bases = new WeakMap<MemoryView, number>()
  private pending = 0
  private readonly rxView: MemoryView
  private batch: FrameBatch
  /** What {@link touchFrames} gave. */
  protected touched = 0
  private readonly sent = new FrameTotals()
  private readonly received = new FrameTotals()

  /**
   * Serves a queue from this thread. The descriptor stays its opener's, who closes it after this queue.
   *
   * @throws VringError ERR_SYSTEM for `io: 'io_uring'` where it is missing or refused
   */
  constructor(handle: TapQueueHandle, options: LinuxTapQueueOptions = {}) {
    const longest = handle.segmentation ? FRAME_BYTES_MAX : handle.frameNow[0]!
    // One byte more than the longest frame: a read that fills the slot was cut.
    const slotBytes = (NET_HDR_MRG_BYTES + longest + 1 + 63) & ~63
    const channel = openTapChannel(handle.fd, slotBytes, options.io ?? 'auto')
    this.name = `tap:${handle.name}:${handle.index}`
    this.handle = handle
    this.headerNow = handle.headerNow
    this.headerBytes = this.headerNow[0]!
    this.frameNow = handle.frameNow
    this.sender = channel.sender
    this.receiver = channel.receiver
    this.io = channel.sender.io
    this.ioRefusal = channel.refusal
    this.rxView = memoryView(channel.receiver.buffer)
    this.batch = new FrameBatch(this.headerBytes, this.rxView)
    this.refused = (errno) => {
      if (GONE.includes(errno)) this.gone = true
      this.drops.add(this.gone ? 'gone' : errno === EIO ? 'down' : systemErrnoName(errno))
    }
  }

  /** Descriptor to wait on for frames from the TAP; -1, which poll(2) skips, once it is gone. */
  get wakeFd(): number {
    return this.gone ? -1 : this.handle.fd
  }

  transmit(frames: FrameBatch): number {
    const { count, offset, length, view } = frames
    if (frames.headerBytes !== this.headerBytes) this.setHeaderBytes(frames.headerBytes)
    if (view !== this.view && count > 0) this.rebase(view)
    const { base, sender, headerBytes } = this
    const frameBytes = this.frameNow[0]!
    const gone = this.gone
    let bytes = 0
    // The kernel copies both frame by frame.
    this.touched = touchFrames(frames, 0) | touchFrames(frames, headerBytes)
    for (let i = 0; i < count; i++) {
      const frame = length[i]! - headerBytes
      bytes += frame
      if (frame < ETH_HEADER_BYTES || frame > frameBytes || gone) {
        if (this.refuse(view, offset[i]!, frame)) continue
      }
      if (this.pending === sender.room) this.flush()
      sender.push(base + offset[i]!, length[i]!)
      this.pending++
    }
    this.sent.add(count, bytes)
    return count
  }

  flush(): void {
    if (this.pending === 0) return
    this.pending = 0
    this.sender.flush(this.refused)
  }

  forgetMemory(): void {
    this.flush()
    this.view = null
    this.sender.forget()
  }

  receive(): FrameBatch {
    if (this.batch.count === 0 && !this.gone) {
      if (this.headerNow[0] !== this.headerBytes) this.useHeader(this.headerNow[0]!)
      this.fill(this.batch)
    }
    return this.batch
  }

  consume(count: number): void {
    const { batch } = this
    const left = batch.count - count
    if (left > 0) {
      batch.offset.copyWithin(0, count, batch.count)
      batch.length.copyWithin(0, count, batch.count)
    }
    batch.count = left
  }

  /**
   * Changes the length of the header before frames, for all queues of the interface, as the driver's features ask
   * for. Frames that wait are dropped and counted as `header-change`.
   */
  setHeaderBytes(bytes: number): void {
    try {
      setTunHeaderBytes(this.handle.fd, bytes)
    } catch (error) {
      // The interface is gone: frames will be dropped for that reason.
      if (systemErrnoOf(error) !== 'EBADFD') throw error
      this.gone = true
    }
    this.headerNow[0] = bytes
    if (this.batch.count > 0) this.rxDrops.add('header-change', this.batch.count)
    this.useHeader(bytes)
  }

  /**
   * Takes frames from the interface, or no longer. Where it is one of several, a queue whose driver can't receive
   * leaves its flows to the others. Frames that wait are dropped and counted as `no-driver`: the next driver may be
   * another machine.
   */
  setReceiving(receiving: boolean): void {
    if (this.gone) return
    // One that was detached is empty: the kernel purges it. Where there is one queue only, frames may have come since.
    if (!receiving || !this.handle.multiQueue) this.drop()
    if (!this.handle.multiQueue) return
    try {
      setTunQueueAttached(this.handle.fd, receiving)
    } catch (error) {
      const errno = systemErrnoOf(error)
      if (errno === 'EBADFD' || errno === 'ENODEV') this.gone = true
      // EINVAL: it is attached, or detached, already.
      else if (errno !== 'EINVAL') throw error
    }
  }

  get counters(): TapQueueCounters {
    return {
      txFrames: this.sent.frames,
      txBytes: this.sent.bytes,
      txDropped: this.drops.snapshot(),
      rxFrames: this.received.frames,
      rxBytes: this.received.bytes,
      rxDropped: this.rxDrops.snapshot(),
    }
  }

  /** Lets go of the rings; the descriptor stays open. */
  close(): void {
    this.flush()
    this.gone = true
    this.sender.close()
    this.receiver.close()
  }

  /** Cold: true when the frame is dropped, which is counted; false for a long frame that asks for segmentation. */
  private refuse(view: MemoryView, offset: number, frame: number): boolean {
    let reason: string
    if (this.gone) reason = 'gone'
    else if (frame < ETH_HEADER_BYTES) reason = 'short'
    else if (view.u8[offset + NET_HDR_GSO_TYPE_OFFSET] === VIRTIO_NET_HDR_GSO_NONE) reason = 'oversize'
    else return false
    this.drops.add(reason)
    return true
  }

  /** Reads the queue empty. */
  private drop(): void {
    const { batch, receiver } = this
    let frames = batch.count
    batch.count = 0
    for (let empty = 0, batches = 0; empty < EMPTY_READS && batches < DRAINED_BATCHES; batches++) {
      const read = receiver.read()
      if (GONE.includes(receiver.errno)) this.gone = true
      if (read === 0) empty++
      frames += read
    }
    if (frames > 0) this.rxDrops.add('no-driver', frames)
  }

  private useHeader(bytes: number): void {
    this.headerBytes = bytes
    this.batch = new FrameBatch(bytes, this.rxView)
  }

  private rebase(view: MemoryView): void {
    let base = this.bases.get(view)
    if (base === undefined) {
      base = nativeAddress(view.buffer)
      this.bases.set(view, base)
    }
    this.flush()
    this.sender.use(view.buffer, base)
    this.view = view
    this.base = base
  }

  private fill(batch: FrameBatch): void {
    const { receiver, headerBytes } = this
    const { slot, length, slotBytes } = receiver
    const read = receiver.read()
    if (GONE.includes(receiver.errno)) this.gone = true
    let count = 0
    let bytes = 0
    for (let i = 0; i < read; i++) {
      const frame = length[i]! - headerBytes
      if (length[i] === slotBytes || frame < ETH_HEADER_BYTES) {
        this.rxDrops.add(frame < ETH_HEADER_BYTES ? 'short' : 'truncated')
        continue
      }
      batch.offset[count] = slot[i]! * slotBytes
      batch.length[count++] = length[i]!
      bytes += frame
    }
    batch.count = count
    this.received.add(count, bytes)
  }
}
