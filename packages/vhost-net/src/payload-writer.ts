import type { Cpu } from '@vring/accessor'
import { ENOBUFS, EXDEV, NET_HDR_MRG_BYTES, NET_HDR_NUM_BUFFERS_OFFSET } from '@vring/layout'
import { ACCESS_WRITE, type AddressMap, type MemoryView, work } from '@vring/memory'
import { type ChainBatch, PIECES_MAX } from '@vring/virtqueue'

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
  /** Contiguous pieces of the frame in hand. */
  private pieces = 0

  constructor(cpu: Cpu, buffers: AddressMap, log: PayloadLog | null) {
    this.cpu = cpu
    this.buffers = buffers
    this.log = log
  }

  /**
   * Writes header and frame in one piece, num_buffers after them: put together in memory of our own first, the header would
   * be loaded again before its halves have left the store buffer, in which others wait for their cache lines.
   *
   * @returns 0, or a negative errno: nothing was written
   */
  putWhole(address: number, total: number, view: MemoryView, from: number): number {
    const { cpu, buffers } = this
    cpu.stac()
    const at = cpu.translate(buffers, address, total, ACCESS_WRITE)
    const aligned = at >= 0 && (at & 1) === 0
    if (aligned) {
      cpu.copy(buffers.view, at, view, from, total)
      cpu.store16(buffers.view.u16, (at + NET_HDR_NUM_BUFFERS_OFFSET) >>> 1, 1)
    }
    cpu.clac()
    if (!aligned) return at < 0 ? at : EXDEV
    // Data first, then the log: a reader of the log must find what it points at.
    if (this.log !== null) this.log.write(address, total)
    return 0
  }

  /**
   * Writes an empty header, with one for num_buffers, and after it a frame of `total` bytes less the header's.
   *
   * @returns 0, or a negative errno: nothing was written
   */
  putBare(address: number, total: number, view: MemoryView, from: number): number {
    const { cpu, buffers } = this
    cpu.stac()
    const at = cpu.translate(buffers, address, total, ACCESS_WRITE)
    const aligned = at >= 0 && (at & 3) === 0
    if (aligned) {
      const { u32 } = buffers.view
      const word = at >>> 2
      cpu.store32(u32, word, 0)
      cpu.store32(u32, word + 1, 0)
      cpu.store32(u32, word + 2, NUM_BUFFERS_ONE)
      cpu.copy(buffers.view, at + NET_HDR_MRG_BYTES, view, from, total - NET_HDR_MRG_BYTES)
    }
    cpu.clac()
    if (!aligned) return at < 0 ? at : EXDEV
    if (this.log !== null) this.log.write(address, total)
    return 0
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
