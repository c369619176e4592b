import { EAGAIN, EBUSY, ENOBUFS, NET_HDR_MRG_BYTES } from '@vring/layout'
import { XDP_PKT_CONTD, XdpSocketView } from '@vring/linux'
import { type MemoryView, memoryView } from '@vring/memory'
import { FrameBatch, type FrameSource, FrameTotals, NET_BATCH } from '@vring/vhost-net'
import type { AfXdpQueueHandle } from './af-xdp-interface.ts'
import type { AfXdpSocketHandle } from './af-xdp-sockets.ts'
import { LongFrames } from './long-frames.ts'
import { completePartialChecksum } from './partial-checksum.ts'
import { SEEN } from './seen.ts'

const ENXIO = -6
const ENODEV = -19
/** Receive calls that find nothing between two looks whether the interface is still there. */
const IDLE_CHECK = 4096

/**
 * The way in of an AF_XDP socket, as one thread has it. Frames lie in the UMEM, with an empty virtio-net header before
 * each, until they are consumed. A frame that is longer than a chunk lies in several and is joined: copied.
 *
 * Several threads may have one of the same socket, and one at a time uses it. All that they have in common is in the
 * rings. A frame leaves the RX ring when it is consumed. So a thread that goes on after another one, with
 * {@link follow}, gets the frames that the other had and did not consume.
 */
export class AfXdpReceiver implements FrameSource {
  readonly handle: AfXdpQueueHandle
  protected readonly socket: XdpSocketView
  protected readonly view: MemoryView
  protected readonly long: LongFrames
  protected down = false
  protected readonly received: FrameTotals = new FrameTotals()
  protected readonly seen: Float64Array
  private readonly chunkMask: number
  /** The longest frame that there is room for, bytes. */
  private readonly roomBytes: number
  private batch: FrameBatch
  /** Entries of the RX ring that each frame of the batch takes. */
  private readonly entries = new Uint8Array(NET_BATCH)
  private idle = 0
  private closed = false

  /** @param umem the memory, where this thread has a view of it already: that of a socket opened together with this one */
  constructor(handle: AfXdpSocketHandle, umem?: MemoryView) {
    const { queue, socket, sizes, firstSlot, seen } = handle
    this.handle = queue
    this.socket = new XdpSocketView(socket, umem?.u8.buffer as ArrayBuffer | undefined)
    this.view = umem ?? memoryView(this.socket.umem)
    this.long = new LongFrames(this.view, firstSlot, sizes.frameBytes, sizes.pieceBytes)
    this.roomBytes = sizes.roomBytes
    this.chunkMask = ~(sizes.chunkBytes - 1)
    this.seen = seen
    this.batch = new FrameBatch(NET_HDR_MRG_BYTES, this.view)
  }

  /** The memory, for others of the sockets that were opened together. */
  get umem(): MemoryView {
    return this.view
  }

  /** The interface was deleted, or this is closed: nothing is sent or received. */
  get gone(): boolean {
    return this.closed || this.seen[SEEN.gone] !== 0
  }

  /** Descriptor to wait on for frames from the interface; -1, which poll(2) skips, once it is gone. */
  get wakeFd(): number {
    return this.gone ? -1 : this.socket.fd
  }

  /** Goes on where the socket is by now, as another thread may have used it: frames that were not consumed come again. */
  follow(): void {
    this.batch.count = 0
    if (this.closed) return
    this.socket.rx.follow()
    this.socket.fill.follow()
  }

  receive(): FrameBatch {
    const { batch } = this
    if (batch.count === 0 && !this.gone) this.take(batch)
    return batch
  }

  consume(count: number): void {
    if (count === 0 || this.gone) return
    const { batch, entries } = this
    const { length } = batch
    let used = 0
    let bytes = 0
    for (let i = 0; i < count; i++) {
      used += entries[i]!
      bytes += length[i]!
    }
    this.received.add(count, bytes - NET_HDR_MRG_BYTES * count)
    this.giveBack(used)
    const left = batch.count - count
    if (left > 0) {
      batch.offset.copyWithin(0, count, batch.count)
      length.copyWithin(0, count, batch.count)
      entries.copyWithin(0, count, batch.count)
    }
    batch.count = left
  }

  /** Frames of the batch that were not consumed. */
  get waiting(): number {
    return this.batch.count
  }

  /** Drops the frames that wait, counted as `no-driver`: the next driver may be another machine. */
  dropWaiting(): void {
    // As many as the ring holds, whatever comes meanwhile.
    for (let left = this.socket.rx.size; left > 0 && !this.gone; ) {
      const { count } = this.receive()
      if (count === 0) return
      this.consume(count)
      this.seen[SEEN.noDriver]! += count
      left -= count
    }
  }

  /**
   * Lets go of the socket and its memory: the batch of {@link receive} is empty from then on. A second call does
   * nothing.
   */
  close(): void {
    this.closed = true
    this.batch = new FrameBatch(NET_HDR_MRG_BYTES)
    this.socket.close()
  }

  /** What a wake-up says about the interface. */
  protected note(result: number): void {
    if (result === 0 || result === EAGAIN || result === EBUSY || result === ENOBUFS) return
    // Mostly ENETDOWN; whatever else it is, the next batch asks again.
    if (result === ENXIO || result === ENODEV) this.seen[SEEN.gone] = 1
    else this.down = true
  }

  /** Puts frames of the RX ring into the batch. */
  private take(batch: FrameBatch): void {
    const { rx } = this.socket
    let available = rx.available()
    if (available === 0) {
      if (++this.idle % IDLE_CHECK === 0) this.note(this.socket.wakeRx())
      return
    }
    const { words } = rx
    const { u8 } = this.view
    const { offset, length } = batch
    let count = 0
    let used = 0
    while (count < NET_BATCH && used < available) {
      const entry = rx.at(used)
      let frame = words[entry]!
      let bytes = words[entry + 2]!
      let pieces = 1
      if ((words[entry + 3]! & XDP_PKT_CONTD) !== 0) {
        pieces = this.long.join(rx, used, available, count)
        if (pieces === 0) break
        bytes = this.long.joined
        frame = this.long.slot(count) + NET_HDR_MRG_BYTES
        if (bytes > this.roomBytes) {
          // Dropped when it is the oldest.
          if (count > 0) break
          this.giveBack(pieces)
          this.seen[SEEN.oversize]! += 1
          available -= pieces
          continue
        }
      }
      used += pieces
      const header = frame - NET_HDR_MRG_BYTES
      // In the headroom, where whatever was there before is left over.
      for (let at = header; at < frame; at++) u8[at] = 0
      offset[count] = header
      length[count] = NET_HDR_MRG_BYTES + bytes
      this.entries[count] = pieces
      completePartialChecksum(u8, frame, bytes)
      count++
    }
    batch.count = count
  }

  /** The oldest `count` entries of the RX ring were read: their chunks are the kernel's again. */
  private giveBack(count: number): void {
    const { rx, fill } = this.socket
    const { words } = fill
    const { words: from } = rx
    for (let i = 0; i < count; i++) {
      const entry = fill.at(i)
      words[entry] = from[rx.at(i)]! & this.chunkMask
      words[entry + 1] = 0
    }
    rx.release(count)
    fill.publish(count)
    if (fill.needsWakeup) this.note(this.socket.wakeRx())
  }
}
