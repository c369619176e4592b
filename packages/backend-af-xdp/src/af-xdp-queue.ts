import { EAGAIN, EBUSY, ENOBUFS, NET_HDR_MRG_BYTES } from '@vring/layout'
import { XDP_PKT_CONTD, XdpSocket } from '@vring/linux'
import { type MemoryView, memoryView } from '@vring/memory'
import { FrameBatch, type FrameSource, FrameTotals, NET_BATCH, type NetBackend } from '@vring/vhost-net'
import type { AfXdpCounters } from './af-xdp-counters.ts'
import type { AfXdpQueueHandle } from './af-xdp-interface.ts'
import { type AfXdpQueueOptions, afXdpSizes } from './af-xdp-sizes.ts'
import { ChunkSender } from './chunk-sender.ts'
import { LongFrames } from './long-frames.ts'
import { BUSY_MS, openWhenFree } from './open-when-free.ts'
import { completePartialChecksum } from './partial-checksum.ts'
import { enterSocket } from './xsk-redirect.ts'

const ENXIO = -6
const ENODEV = -19
/** Frames that one call sends in copy mode at least. Source: Linux net/xdp/xsk.c, TX_BATCH_SIZE. */
const TX_BATCH_SIZE = 32
/** Of {@link AfXdpQueue.held}: the frame lies in a slot, and its chunks are given back. */
const NO_CHUNK = 0xffff_ffff
/** Calls beyond those that a batch needs, for a driver that is busy: as many in vain end the batch. */
const WAKE_EXTRA = 4
/** Receive calls that find nothing between two looks whether the interface is still there. */
const IDLE_CHECK = 4096

/**
 * A queue of a Linux interface through an AF_XDP socket: takes frames from a driver and gives frames to it.
 *
 * A frame in whose checksum its sender has left to a device, as the host's own stack does on a veth, is completed: AF_XDP has
 * nothing else that tells.
 *
 * A frame out is copied once, into the UMEM, which is the only memory that the interface sends from; a checksum that the
 * driver left to the device is completed in the copy. A frame in lies in the UMEM, with an empty virtio-net header before
 * it, until it is consumed. A frame that is longer than a chunk lies in several and is joined: copied twice.
 *
 * Dropped and counted: `short`, `oversize`, `segmentation` (not offered: the interface can't), `header` (its checksum lies
 * outside of the frame), `down` and `gone` (the interface is). No free chunk is no drop: the rest of the batch is offered
 * again. Of frames for the driver: `no-driver` (they waited while no driver could receive them), `oversize` (of several pieces,
 * longer than the MTU when it was opened), and what the kernel counts, `kernel`, `ring-full`, `fill-ring-empty`.
 */
export class AfXdpQueue implements NetBackend, FrameSource {
  readonly name: string
  readonly handle: AfXdpQueueHandle
  /** The mode that was granted: does the driver work on the UMEM, or the kernel copy. */
  readonly mode: 'copy' | 'zero-copy'
  /** The interface was deleted, or this is closed: nothing is sent or received. */
  gone = false
  private readonly socket: XdpSocket
  private readonly view: MemoryView
  /** The longest frame that there is room for, bytes. */
  private readonly roomBytes: number
  private readonly long: LongFrames
  private readonly sender: ChunkSender
  private readonly chunkMask: number
  private batch: FrameBatch
  /** Chunk of each frame of the batch. */
  private readonly held = new Uint32Array(NET_BATCH)
  private driverless = 0
  private overlong = 0
  private down = false
  private idle = 0
  private readonly received = new FrameTotals()

  /**
   * Opens the socket and enters it into the program's map: frames arrive from now on.
   *
   * @throws VringError ERR_OUT_OF_RANGE for a size; ERR_SYSTEM: EBUSY (the queue has a socket, after `busyMs`), EOPNOTSUPP or EINVAL
   * (zero-copy, and the driver has it not), ENETDOWN, EPERM
   */
  constructor(handle: AfXdpQueueHandle, options: AfXdpQueueOptions = {}) {
    const { busyMs = BUSY_MS, onBusy = () => {} } = options
    const sizes = afXdpSizes(handle, options)
    const { chunks, chunkBytes, frameBytes, pieceBytes } = sizes
    const { ifindex, queue } = handle
    const socket = { ifindex, queue, mode: options.mode ?? 'auto', ...sizes }
    this.socket = openWhenFree(() => XdpSocket.open(socket), busyMs, onBusy)
    this.name = `af-xdp:${handle.name}:${handle.queue}`
    this.handle = handle
    this.mode = this.socket.mode
    this.view = memoryView(this.socket.umem)
    this.roomBytes = sizes.roomBytes
    this.long = new LongFrames(this.view, chunks * chunkBytes, frameBytes, pieceBytes)
    this.chunkMask = ~(chunkBytes - 1)
    this.sender = new ChunkSender(this.socket, this.view, this.long, handle.frameNow, sizes)
    this.batch = new FrameBatch(NET_HDR_MRG_BYTES, this.view)
    try {
      this.fillAll(chunks / 2, chunkBytes)
      enterSocket(handle.socketsFd, handle.queues, handle.queue, this.socket.fd)
    } catch (error) {
      this.socket.close()
      throw error
    }
  }

  /** Descriptor to wait on for frames from the interface; -1, which poll(2) skips, once it is gone. */
  get wakeFd(): number {
    return this.gone ? -1 : this.socket.fd
  }

  /**
   * Frames in the TX ring that the driver does not fetch by itself: it was busy when it was called last. Of an interface that is
   * down nothing is unsent, as no time helps: what is in the ring leaves with the first batch after it is up.
   */
  get unsent(): boolean {
    const { tx } = this.socket
    return !this.gone && !this.down && tx.pending() > 0 && tx.needsWakeup
  }

  /**
   * The socket while it says when there is room: it is writable when its TX ring is at most half full (Linux
   * net/xdp/xsk.c, xsk_tx_writeable). Of frames that are out of the ring and not yet complete it says nothing: -1.
   */
  get roomFd(): number {
    if (this.gone) return -1
    const { fd, tx } = this.socket
    return tx.pending() > tx.size / 2 ? fd : -1
  }

  transmit(frames: FrameBatch): number {
    if (this.gone || (this.down && !this.isUp())) return this.sender.dropAll(frames, this.gone ? 'gone' : 'down')
    return this.sender.load(frames)
  }

  /** Lets the kernel send. Frames that it has no room for stay in the ring and leave with a later batch. */
  flush(): void {
    const { socket } = this
    const { tx } = socket
    if (this.gone) return
    let pending = tx.pending()
    let calls = Math.ceil(pending / TX_BATCH_SIZE) + WAKE_EXTRA
    for (let vain = 0; calls > 0 && vain < WAKE_EXTRA && pending > 0 && tx.needsWakeup; calls--) {
      const result = socket.wakeTx()
      if (result === EBUSY || result === ENOBUFS) this.sender.reclaim()
      else if (result !== EAGAIN && result !== 0) {
        this.note(result)
        return
      }
      // EAGAIN may be "more is left" and "not now".
      const left = tx.pending()
      if (left === pending) vain++
      pending = left
    }
  }

  receive(): FrameBatch {
    const { batch } = this
    if (batch.count === 0 && !this.gone) this.take(batch)
    return batch
  }

  consume(count: number): void {
    if (count === 0 || this.gone) return
    const { batch, held, socket } = this
    const { fill } = socket
    const { words } = fill
    let chunks = 0
    for (let i = 0; i < count; i++) {
      if (held[i] === NO_CHUNK) continue
      const entry = fill.at(chunks++)
      words[entry] = held[i]!
      words[entry + 1] = 0
    }
    fill.publish(chunks)
    if (fill.needsWakeup) this.note(socket.wakeRx())
    const left = batch.count - count
    if (left > 0) {
      batch.offset.copyWithin(0, count, batch.count)
      batch.length.copyWithin(0, count, batch.count)
      held.copyWithin(0, count, batch.count)
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
      this.driverless += count
      left -= count
    }
  }

  get counters(): AfXdpCounters {
    const rxDropped: Record<string, number> = {}
    if (this.driverless > 0) rxDropped['no-driver'] = this.driverless
    if (this.overlong > 0) rxDropped['oversize'] = this.overlong
    if (!this.gone) {
      const kernel = this.socket.statistics()
      if (kernel.rxDropped > 0) rxDropped['kernel'] = kernel.rxDropped
      if (kernel.rxRingFull > 0) rxDropped['ring-full'] = kernel.rxRingFull
      if (kernel.rxFillRingEmpty > 0) rxDropped['fill-ring-empty'] = kernel.rxFillRingEmpty
    }
    const { sender, received } = this
    return {
      txFrames: sender.sent.frames,
      txBytes: sender.sent.bytes,
      txDropped: Object.fromEntries(sender.drops),
      rxFrames: received.frames,
      rxBytes: received.bytes,
      rxDropped,
    }
  }

  /** Closes the socket and its memory: the batch of {@link receive} is empty from then on. A second call does nothing. */
  close(): void {
    this.gone = true
    this.batch = new FrameBatch(NET_HDR_MRG_BYTES)
    this.socket.close()
  }

  /** Takes frames out of the RX ring, into the batch. */
  private take(batch: FrameBatch): void {
    const { rx } = this.socket
    const available = rx.available()
    if (available === 0) {
      if (++this.idle % IDLE_CHECK === 0) this.note(this.socket.wakeRx())
      return
    }
    const { words } = rx
    const { u8 } = this.view
    const { offset, length } = batch
    let total = 0
    let count = 0
    let used = 0
    while (count < NET_BATCH && used < available) {
      const entry = rx.at(used)
      let frame = words[entry]!
      let bytes = words[entry + 2]!
      let chunk = frame & this.chunkMask
      let pieces = 1
      if ((words[entry + 3]! & XDP_PKT_CONTD) !== 0) {
        pieces = this.long.join(rx, used, available, count)
        if (pieces === 0) break
        this.giveBack(used, pieces)
        bytes = this.long.joined
        frame = this.long.slot(count) + NET_HDR_MRG_BYTES
        chunk = NO_CHUNK
      }
      used += pieces
      if (chunk === NO_CHUNK && bytes > this.roomBytes) {
        this.overlong++
        continue
      }
      const header = frame - NET_HDR_MRG_BYTES
      // In the headroom, where whatever was there before is left over.
      for (let at = header; at < frame; at++) u8[at] = 0
      offset[count] = header
      length[count] = NET_HDR_MRG_BYTES + bytes
      this.held[count] = chunk
      completePartialChecksum(u8, frame, bytes)
      total += bytes
      count++
    }
    rx.release(used)
    this.received.add(count, total)
    batch.count = count
  }

  /** Gives the chunks of `count` entries of the RX ring to the kernel again. */
  private giveBack(first: number, count: number): void {
    const { rx, fill } = this.socket
    for (let i = 0; i < count; i++) {
      const entry = fill.at(i)
      fill.words[entry] = rx.words[rx.at(first + i)]! & this.chunkMask
      fill.words[entry + 1] = 0
    }
    fill.publish(count)
    if (fill.needsWakeup) this.note(this.socket.wakeRx())
  }

  private fillAll(count: number, chunkBytes: number): void {
    const { fill } = this.socket
    for (let i = 0; i < count; i++) {
      const entry = fill.at(i)
      fill.words[entry] = i * chunkBytes
      fill.words[entry + 1] = 0
    }
    fill.publish(count)
  }

  private isUp(): boolean {
    this.down = false
    this.note(this.socket.wakeTx())
    return !this.down && !this.gone
  }

  /** What a wake-up says about the interface. */
  private note(result: number): void {
    if (result === 0 || result === EAGAIN || result === EBUSY || result === ENOBUFS) return
    // Mostly ENETDOWN; whatever else it is, the next batch asks again.
    if (result === ENXIO || result === ENODEV) this.gone = true
    else this.down = true
  }
}
