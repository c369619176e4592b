import type { Cpu } from '@vring/accessor'
import { ENOBUFS, EXDEV, NET_HDR_MRG_BYTES, NET_HDR_NUM_BUFFERS_OFFSET } from '@vring/layout'
import { ACCESS_WRITE, type AddressMap, type MemoryView, memoryView, work } from '@vring/memory'
import { type ChainBatch, PIECES_MAX } from '@vring/virtqueue'
import { type FrameBatch, NET_BATCH } from './frame-batch.ts'

/** Byte offset in {@link PayloadWriter.view} of each header that is written whole. The module's, as the columns of a round. */
const places = new Int32Array(NET_BATCH)
/** The header's last word: no checksum, one buffer. */
const NUM_BUFFERS_ONE = 1 << 16

/** The guest-migration log, as payload is marked in it. */
export interface PayloadLog {
  write(address: number, length: number): void
}

/** Writes frames to the driver's buffers, through the Cpu port, each write followed by its mark in the migration log. */
export class PayloadWriter {
  private readonly cpu: Cpu
  private readonly buffers: AddressMap
  private readonly log: PayloadLog | null
  /** Where the frames of a batch go. */
  private view: MemoryView = NO_MEMORY
  /** Contiguous pieces of the frame in hand. */
  private pieces = 0

  constructor(cpu: Cpu, buffers: AddressMap, log: PayloadLog | null) {
    this.cpu = cpu
    this.buffers = buffers
    this.log = log
  }

  /**
   * Hot: finds where `count` frames go, each with its header to one buffer: frame first + i to `address[segments[i]]`.
   *
   * @returns how many of them, from the first on, lie in one piece each, aligned as a header's words are, all in one view
   */
  locate(address: Float64Array, segments: Int32Array, length: Int32Array, first: number, count: number): number {
    const { cpu, buffers } = this
    for (let i = 0; i < count; i = (i + 1) | 0) {
      const at = cpu.translate(buffers, address[segments[i]!]!, length[(first + i) | 0]!, ACCESS_WRITE)
      if (at < 0 || (at & 3) !== 0) return i
      if (i === 0) this.view = buffers.view
      else if (buffers.view !== this.view) return i
      places[i] = at
    }
    return count
  }

  /**
   * Writes `count` frames from `first` on to where {@link locate} found room. Of all of them the first word of the frame is stored
   * first, then the header, then the rest. The driver's core has looked at these cache lines, and a store waits in the CPU until
   * its line is this core's alone; only some 64 others fit there after it. One word a line lets many lines come side by side,
   * where eleven words a frame let six.
   */
  putWhole(frames: FrameBatch, first: number, count: number): void {
    const { cpu } = this
    cpu.stac()
    this.touch(count)
    this.putHeaders(count)
    cpu.clac()
    this.putFrames(frames, first, count)
  }

  /** Hot: takes the line of each frame's first word; the word is written over with the frame. */
  private touch(count: number): void {
    const { cpu } = this
    const { u32 } = this.view
    for (let i = 0; i < count; i = (i + 1) | 0)
      cpu.store32(u32, ((places[i]! >>> 2) + (NET_HDR_MRG_BYTES >>> 2)) | 0, 0)
  }

  /** Hot: an empty header for each, with one for num_buffers. */
  private putHeaders(count: number): void {
    const { cpu } = this
    const { u32 } = this.view
    for (let i = 0; i < count; i = (i + 1) | 0) {
      const word = places[i]! >>> 2
      cpu.store32(u32, word, 0)
      cpu.store32(u32, (word + 1) | 0, 0)
      cpu.store32(u32, (word + 2) | 0, NUM_BUFFERS_ONE)
    }
  }

  /** Hot: the frames, and before each its sender's header, unless headers are empty. */
  private putFrames({ offset, length, view, bare }: FrameBatch, first: number, count: number): void {
    const { cpu, view: to } = this
    const { u16 } = to
    const skipped = bare === true ? NET_HDR_MRG_BYTES : 0
    for (let i = 0; i < count; i = (i + 1) | 0) {
      const at = places[i]!
      const from = (offset[(first + i) | 0]! + skipped) | 0
      cpu.stac()
      cpu.copy(to, (at + skipped) | 0, view, from, (length[(first + i) | 0]! - skipped) | 0)
      // Num_buffers after the header that it is in: put together in memory of our own, it would be loaded again before its halves
      // have left the store buffer.
      if (skipped === 0) cpu.store16(u16, (at + NET_HDR_NUM_BUFFERS_OFFSET) >>> 1, 1)
      cpu.clac()
    }
  }

  /** Marks what {@link putWhole} wrote. Data first, then the log: a reader of the log must find what it points at. */
  noteWhole(address: Float64Array, segments: Int32Array, length: Int32Array, first: number, count: number): void {
    if (this.log === null) return
    for (let i = 0; i < count; i++) this.log.write(address[segments[i]!]!, length[first + i]!)
  }

  /**
   * Writes header and frame to `count` chains from `first`, shares[i] bytes to each.
   *
   * @returns 0 or a negative errno; -ENOBUFS: they lie in more than {@link PIECES_MAX} pieces
   */
  scatter(
    chains: ChainBatch,
    shares: Uint32Array,
    first: number,
    count: number,
    header: MemoryView,
    headerBytes: number,
    view: MemoryView,
    from: number,
  ): number {
    const { segStart, address, length } = chains
    // Position in header and frame together.
    let done = 0
    this.pieces = 0
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
    let pieces = 0
    for (let done = 0; done < length; ) {
      if (this.pieces + pieces >= PIECES_MAX) {
        status = ENOBUFS
        break
      }
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
      pieces++
    }
    cpu.clac()
    work.chargePieces(pieces)
    this.pieces += pieces
    // Data first, then the log: a reader of the log must find what it points at.
    if (status === 0 && this.log !== null) this.log.write(address, length)
    return status
  }
}

const NO_MEMORY = memoryView(new ArrayBuffer(0))
