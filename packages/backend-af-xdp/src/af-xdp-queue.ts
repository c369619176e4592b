import { plainCpu } from '@vring/accessor'
import {
  EAGAIN,
  EBUSY,
  ENOBUFS,
  ETH_HEADER_BYTES,
  NET_HDR_CSUM_OFFSET_OFFSET,
  NET_HDR_CSUM_START_OFFSET,
  NET_HDR_FLAGS_OFFSET,
  NET_HDR_GSO_TYPE_OFFSET,
  NET_HDR_MRG_BYTES,
  refused,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_NONE,
} from '@vring/layout'
import { XDP_PACKET_HEADROOM, XdpSocket } from '@vring/linux'
import { type MemoryView, memoryView } from '@vring/memory'
import { FrameBatch, type FrameSource, FrameTotals, NET_BATCH, type NetBackend, touchFrames } from '@vring/vhost-net'
import type { AfXdpCounters } from './af-xdp-counters.ts'
import type { AfXdpQueueHandle } from './af-xdp-interface.ts'
import { ChunkStack } from './chunk-stack.ts'
import { completeChecksum } from './complete-checksum.ts'
import { BUSY_MS, openWhenFree } from './open-when-free.ts'
import { completePartialChecksum } from './partial-checksum.ts'
import { enterSocket } from './xsk-redirect.ts'

export interface AfXdpQueueOptions {
  /** `auto`: zero-copy if the driver has it, else copy. Default `auto`. */
  readonly mode?: 'auto' | 'copy' | 'zero-copy'
  /** Chunks of the UMEM, half of them for each direction. Default 4096. */
  readonly chunks?: number
  /** Bytes of one chunk: 2048, or 4096 for an MTU above 1770. Default by the MTU. */
  readonly chunkBytes?: number
  /** Entries of each ring; a power of two, at least half of `chunks`. Default 2048. */
  readonly ringEntries?: number
  /** How long to wait for a queue that another socket has, in ms: one that was closed has it a moment longer. Default 1000. */
  readonly busyMs?: number
  /** It has to be waited for. */
  readonly onBusy?: () => void
}

const ENXIO = -6
const ENODEV = -19
/** Frames that one call sends in copy mode at least. Source: Linux net/xdp/xsk.c, TX_BATCH_SIZE. */
const TX_BATCH_SIZE = 32
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
 * it, until it is consumed.
 *
 * Dropped and counted: `short`, `oversize`, `segmentation` (not offered: the interface can't), `header` (its checksum lies
 * outside of the frame), `down` and `gone` (the interface is). No free chunk is no drop: the rest of the batch is offered
 * again. Of frames for the driver: `no-driver` (they waited while no driver could receive them), and what the kernel
 * counts, `kernel`, `ring-full`, `fill-ring-empty`.
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
  private readonly frameNow: Int32Array
  /** What a chunk has room for, bytes. */
  private readonly roomBytes: number
  private readonly chunkMask: number
  private readonly free: ChunkStack
  private batch: FrameBatch
  /** Chunk of each frame of the batch. */
  private readonly held = new Uint32Array(NET_BATCH)
  private readonly drops = new Map<string, number>()
  private driverless = 0
  /** What {@link touchFrames} gave. */
  protected touched = 0
  private down = false
  private idle = 0
  private readonly sent = new FrameTotals()
  private readonly received = new FrameTotals()

  /**
   * Opens the socket and enters it into the program's map: frames arrive from now on.
   *
   * @throws VringError ERR_OUT_OF_RANGE for a size; ERR_SYSTEM: EBUSY (the queue has a socket, after `busyMs`), EOPNOTSUPP or EINVAL
   * (zero-copy, and the driver has it not), ENETDOWN, EPERM
   */
  constructor(handle: AfXdpQueueHandle, options: AfXdpQueueOptions = {}) {
    const needed = handle.frameNow[0]! + XDP_PACKET_HEADROOM
    const { mode = 'auto', chunks = 4096, ringEntries = 2048, busyMs = BUSY_MS, onBusy = () => {} } = options
    const chunkBytes = options.chunkBytes ?? (needed <= 2048 ? 2048 : 4096)
    if (chunkBytes < needed)
      throw refused('ERR_OUT_OF_RANGE', 'chunkBytes', chunkBytes, `at least ${needed}, by the MTU of ${handle.name}`)
    if (2 * ringEntries < chunks)
      throw refused('ERR_OUT_OF_RANGE', 'ringEntries', ringEntries, `at least half of ${chunks} chunks`)
    const { ifindex, queue } = handle
    const socket = { ifindex, queue, mode, chunks, chunkBytes, ringEntries }
    this.socket = openWhenFree(() => XdpSocket.open(socket), busyMs, onBusy)
    this.name = `af-xdp:${handle.name}:${handle.queue}`
    this.handle = handle
    this.mode = this.socket.mode
    this.view = memoryView(this.socket.umem)
    this.frameNow = handle.frameNow
    this.roomBytes = chunkBytes - XDP_PACKET_HEADROOM
    this.chunkMask = ~(chunkBytes - 1)
    this.free = new ChunkStack(chunks / 2, chunks / 2, chunkBytes)
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
    const { count, offset, length, headerBytes, view } = frames
    if (this.gone || (this.down && !this.isUp())) return this.dropAll(frames)
    this.touched = touchFrames(frames, 0) | touchFrames(frames, headerBytes)
    this.reclaim()
    const { tx } = this.socket
    const room = Math.min(this.free.count, tx.free())
    const { words } = tx
    let taken = 0
    let sent = 0
    let total = 0
    for (; taken < count; taken++) {
      if (sent === room) break
      const bytes = length[taken]! - headerBytes
      total += bytes
      const frame = this.load(view, offset[taken]!, headerBytes, bytes)
      if (frame < 0) continue
      const entry = tx.at(sent++)
      words[entry] = frame
      words[entry + 1] = 0
      words[entry + 2] = bytes
      words[entry + 3] = 0
    }
    if (sent > 0) tx.publish(sent)
    this.sent.add(taken, total)
    return taken
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
      if (result === EBUSY || result === ENOBUFS) this.reclaim()
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
    for (let i = 0; i < count; i++) {
      const entry = fill.at(i)
      words[entry] = held[i]!
      words[entry + 1] = 0
    }
    fill.publish(count)
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
    if (!this.gone) {
      const kernel = this.socket.statistics()
      if (kernel.rxDropped > 0) rxDropped['kernel'] = kernel.rxDropped
      if (kernel.rxRingFull > 0) rxDropped['ring-full'] = kernel.rxRingFull
      if (kernel.rxFillRingEmpty > 0) rxDropped['fill-ring-empty'] = kernel.rxFillRingEmpty
    }
    const { sent, received } = this
    return {
      txFrames: sent.frames,
      txBytes: sent.bytes,
      txDropped: Object.fromEntries(this.drops),
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

  /**
   * Copies a frame of the driver into a free chunk, as far from a multiple of 8 as it was: by 64-bit words then.
   *
   * @returns where it is in the UMEM, or -1: it was dropped
   */
  private load(view: MemoryView, at: number, headerBytes: number, bytes: number): number {
    if (bytes < ETH_HEADER_BYTES) return this.drop('short')
    if (view.u8[at + NET_HDR_GSO_TYPE_OFFSET] !== VIRTIO_NET_HDR_GSO_NONE) return this.drop('segmentation')
    if (bytes > this.frameNow[0]! || bytes > this.roomBytes) return this.drop('oversize')
    const to = this.view
    const from = at + headerBytes
    const frame = this.free.pop() + (from & 7)
    plainCpu.copy(to, frame, view, from, bytes)
    if ((view.u8[at + NET_HDR_FLAGS_OFFSET]! & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0) {
      const start = read16(view.u8, at + NET_HDR_CSUM_START_OFFSET)
      const offset = read16(view.u8, at + NET_HDR_CSUM_OFFSET_OFFSET)
      if (completeChecksum(to.u8, frame, bytes, start, offset) < 0) {
        this.free.push(frame & this.chunkMask)
        return this.drop('header')
      }
    }
    return frame
  }

  /** Takes frames out of the RX ring, into the batch. */
  private take(batch: FrameBatch): void {
    const { rx } = this.socket
    const count = Math.min(rx.available(), NET_BATCH)
    if (count === 0) {
      if (++this.idle % IDLE_CHECK === 0) this.note(this.socket.wakeRx())
      return
    }
    const { words } = rx
    const { u8 } = this.view
    const { offset, length } = batch
    let total = 0
    for (let i = 0; i < count; i++) {
      const entry = rx.at(i)
      const frame = words[entry]!
      const bytes = words[entry + 2]!
      const header = frame - NET_HDR_MRG_BYTES
      // In the headroom, where whatever was there before is left over.
      for (let at = header; at < frame; at++) u8[at] = 0
      offset[i] = header
      length[i] = NET_HDR_MRG_BYTES + bytes
      this.held[i] = frame & this.chunkMask
      completePartialChecksum(u8, frame, bytes)
      total += bytes
    }
    rx.release(count)
    this.received.add(count, total)
    batch.count = count
  }

  /** Chunks that were sent are free again. */
  private reclaim(): void {
    const { completion } = this.socket
    const count = completion.available()
    if (count === 0) return
    const { chunkMask, free } = this
    const { words } = completion
    for (let i = 0; i < count; i++) free.push(words[completion.at(i)]! & chunkMask)
    completion.release(count)
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

  private dropAll(frames: FrameBatch): number {
    const { count, length, headerBytes } = frames
    let total = 0
    for (let i = 0; i < count; i++) {
      total += length[i]! - headerBytes
      this.drop(this.gone ? 'gone' : 'down')
    }
    this.sent.add(count, total)
    return count
  }

  /** What a wake-up says about the interface. */
  private note(result: number): void {
    if (result === 0 || result === EAGAIN || result === EBUSY || result === ENOBUFS) return
    // Mostly ENETDOWN; whatever else it is, the next batch asks again.
    if (result === ENXIO || result === ENODEV) this.gone = true
    else this.down = true
  }

  private drop(reason: string): -1 {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1)
    return -1
  }
}

function read16(u8: Uint8Array, at: number): number {
  return u8[at]! | (u8[at + 1]! << 8)
}
