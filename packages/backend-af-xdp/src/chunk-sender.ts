import { plainCpu } from '@vring/accessor'
import {
  ETH_HEADER_BYTES,
  NET_HDR_CSUM_OFFSET_OFFSET,
  NET_HDR_CSUM_START_OFFSET,
  NET_HDR_FLAGS_OFFSET,
  NET_HDR_GSO_TYPE_OFFSET,
  NET_HDR_MRG_BYTES,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_NONE,
} from '@vring/layout'
import type { XdpSocketView } from '@vring/linux'
import type { MemoryView } from '@vring/memory'
import { type FrameBatch, FrameTotals, NET_BATCH, touchFrames } from '@vring/vhost-net'
import type { AfXdpSizes } from './af-xdp-sizes.ts'
import { ChunkStack } from './chunk-stack.ts'
import { completeChecksum } from './complete-checksum.ts'
import type { LongFrames } from './long-frames.ts'

/**
 * The way out of an AF_XDP queue: frames of a driver are copied into free chunks of the UMEM, and entered into the TX
 * ring. What can't be sent is dropped and counted by its reason.
 */
export class ChunkSender {
  /** Frames by the reason for which they were dropped. */
  readonly drops = new Map<string, number>()
  /** Frames that were taken, those that were dropped too. */
  readonly sent = new FrameTotals()
  /** What {@link touchFrames} gave. */
  protected touched = 0
  /** Bytes of the frames that {@link loadRun} took. */
  private runBytes = 0
  private readonly socket: XdpSocketView
  private readonly view: MemoryView
  private readonly long: LongFrames
  private readonly frameNow: Int32Array
  private readonly free: ChunkStack
  private readonly chunkMask: number
  /** What a chunk has room for, bytes. */
  private readonly pieceBytes: number
  /** The longest frame that there is room for, bytes. */
  private readonly roomBytes: number

  /**
   * @param frameNow the longest frame of the interface now, bytes: one number in shared memory
   * @param firstChunk of the half of the socket's chunks that is for frames out
   */
  constructor(
    socket: XdpSocketView,
    view: MemoryView,
    long: LongFrames,
    frameNow: Int32Array,
    sizes: AfXdpSizes,
    firstChunk: number,
  ) {
    const { chunks, chunkBytes, pieceBytes, roomBytes } = sizes
    this.socket = socket
    this.view = view
    this.long = long
    this.frameNow = frameNow
    this.free = new ChunkStack(firstChunk, chunks / 2, chunkBytes)
    this.chunkMask = ~(chunkBytes - 1)
    this.pieceBytes = pieceBytes
    this.roomBytes = roomBytes
  }

  /** Takes frames into the TX ring, as many as there are chunks and entries for; returns how many. */
  load(frames: FrameBatch): number {
    const { count, offset, length, headerBytes, view } = frames
    this.touched = touchFrames(frames, 0) | touchFrames(frames, headerBytes)
    this.reclaim()
    const { tx } = this.socket
    const room = Math.min(this.free.count, tx.free())
    const { words } = tx
    const { pieceBytes } = this
    const longest = Math.min(this.frameNow[0]!, this.roomBytes)
    let taken = this.loadRun(frames, Math.min(count, room), Math.min(pieceBytes, longest))
    let sent = taken
    let total = this.runBytes
    for (; taken < count; taken++) {
      if (sent === room) break
      const bytes = length[taken]! - headerBytes
      if (bytes > pieceBytes && bytes <= longest) {
        if (sent + this.long.pieces(bytes) > room) break
        sent += this.loadLong(view, offset[taken]!, headerBytes, bytes, sent)
      } else {
        const frame = this.loadShort(view, offset[taken]!, headerBytes, bytes, longest)
        if (frame >= 0) {
          const entry = tx.at(sent++)
          words[entry] = frame
          words[entry + 1] = 0
          words[entry + 2] = bytes
          words[entry + 3] = 0
        }
      }
      total += bytes
    }
    if (sent > 0) tx.publish(sent)
    this.sent.add(taken, total)
    return taken
  }

  /**
   * The frames from the first on, up to one that is dropped, cut, or whose checksum is to be completed. They are nearly
   * all there are, and nothing else is looked at in this loop.
   *
   * @param longest bytes that a chunk has room for, and the interface
   * @returns how many were copied and entered; {@link runBytes} says how long they are
   */
  private loadRun({ offset, length, headerBytes, view }: FrameBatch, count: number, longest: number): number {
    const { free, view: to } = this
    const { offsets } = free
    const { tx } = this.socket
    const { words } = tx
    const { u8 } = view
    let top = free.count
    let total = 0
    let taken = 0
    for (; taken < count; taken++) {
      const bytes = (length[taken]! - headerBytes) | 0
      if (bytes < ETH_HEADER_BYTES || bytes > longest) break
      const at = offset[taken]! | 0
      if ((u8[at + NET_HDR_FLAGS_OFFSET]! & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0) break
      if (u8[at + NET_HDR_GSO_TYPE_OFFSET] !== VIRTIO_NET_HDR_GSO_NONE) break
      const from = (at + headerBytes) | 0
      const frame = (offsets[--top]! + (from & 7)) | 0
      plainCpu.copy(to, frame, view, from, bytes)
      const entry = tx.at(taken)
      words[entry] = frame
      words[(entry + 1) | 0] = 0
      words[(entry + 2) | 0] = bytes
      words[(entry + 3) | 0] = 0
      total = (total + bytes) | 0
    }
    free.count = top
    this.runBytes = total
    return taken
  }

  /** Drops all of a batch for one reason; returns their count. */
  dropAll({ count, length, headerBytes }: FrameBatch, reason: string): number {
    let total = 0
    for (let i = 0; i < count; i++) {
      total += length[i]! - headerBytes
      this.drop(reason)
    }
    this.sent.add(count, total)
    return count
  }

  /** Chunks that were sent are free again. */
  reclaim(): void {
    const { completion } = this.socket
    const count = completion.available()
    if (count === 0) return
    this.free.take(completion, count, this.chunkMask)
    completion.release(count)
  }

  /**
   * Copies a frame of the driver into a free chunk, as far from a multiple of 8 as it was: by 64-bit words then.
   *
   * @returns where it is in the UMEM, or -1: it was dropped
   */
  private loadShort(view: MemoryView, at: number, headerBytes: number, bytes: number, longest: number): number {
    if (bytes < ETH_HEADER_BYTES) return this.drop('short')
    if (view.u8[at + NET_HDR_GSO_TYPE_OFFSET] !== VIRTIO_NET_HDR_GSO_NONE) return this.drop('segmentation')
    if (bytes > longest) return this.drop('oversize')
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

  /**
   * The same for a frame that takes several chunks; one whose checksum is to be completed goes through the slot after those
   * of the batch.
   *
   * @returns entries that were written; 0: it was dropped
   */
  private loadLong(view: MemoryView, at: number, headerBytes: number, bytes: number, first: number): number {
    const { long, free, socket } = this
    if (view.u8[at + NET_HDR_GSO_TYPE_OFFSET] !== VIRTIO_NET_HDR_GSO_NONE) return this.dropLong('segmentation')
    if ((view.u8[at + NET_HDR_FLAGS_OFFSET]! & VIRTIO_NET_HDR_F_NEEDS_CSUM) === 0)
      return long.cut(socket.tx, first, free, view, at + headerBytes, bytes)
    const to = this.view
    const frame = long.slot(NET_BATCH) + NET_HDR_MRG_BYTES
    plainCpu.copy(to, frame, view, at + headerBytes, bytes)
    const start = read16(view.u8, at + NET_HDR_CSUM_START_OFFSET)
    const offset = read16(view.u8, at + NET_HDR_CSUM_OFFSET_OFFSET)
    if (completeChecksum(to.u8, frame, bytes, start, offset) < 0) return this.dropLong('header')
    return long.cut(socket.tx, first, free, to, frame, bytes)
  }

  private dropLong(reason: string): 0 {
    this.drop(reason)
    return 0
  }

  private drop(reason: string): -1 {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1)
    return -1
  }
}

function read16(u8: Uint8Array, at: number): number {
  return u8[at]! | (u8[at + 1]! << 8)
}
