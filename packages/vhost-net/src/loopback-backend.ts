import { plainCpu } from '@vring/accessor'
import { ETH_HEADER_BYTES, NET_HDR_MRG_BYTES, refused } from '@vring/layout'
import { type MemoryView, memoryView } from '@vring/memory'
import { FrameBatch, NET_BATCH, touchFrames } from './frame-batch.ts'
import type { FrameSource } from './frame-source.ts'
import { FrameTotals } from './frame-totals.ts'
import type { NetBackend, NetBackendCounters } from './net-backend.ts'
import { FRAME_BYTES_MAX } from './round.ts'

export interface LoopbackOptions {
  /** Frames that may wait for the driver. Default 1024. */
  readonly limit?: number
  /** Bytes that they may take together, at least one frame of 65549 bytes. Default 1 MiB. */
  readonly bytes?: number
}

/** Before the header, so that the frame after it is aligned as drivers align theirs, and copied by 64-bit words. */
const LEAD_BYTES = 4

/** Bytes that the longest frame takes with its header. */
const SLOT_BYTES_MAX = spanOf(NET_HDR_MRG_BYTES + FRAME_BYTES_MAX)

/**
 * A wire whose ends are one driver's: every frame that it sends comes back on its receive queue, in order, after an empty
 * virtio-net header. While the driver takes them in time, frames are copied once, from its buffers to its buffers
 * ({@link connect}). What it does not take fills a bounded memory, and then frames are dropped and counted, as a wire would.
 *
 * ```
 *   buffer  |  free  | header frame | header frame | ... |  free  |     each frame at a multiple of 8
 *                    ^ oldest                             ^ head
 * ```
 *
 * A frame is always in one piece: one that does not fit before the buffer's end starts at its beginning. Whenever
 * nothing waits it begins at the front again, so that a driver that keeps up stays within the CPU's caches.
 */
export class LoopbackBackend implements NetBackend, FrameSource {
  readonly name = 'loopback'
  /** Frames that wait for the driver. */
  waiting = 0
  private readonly view: MemoryView
  private readonly bytes: number
  private readonly limit: number
  /** Position of each frame that waits, and its bytes with header; slot = free-running number modulo the limit. */
  private readonly at: Uint32Array
  private readonly length: Uint32Array
  private readonly batch: FrameBatch
  private first = 0
  /** Gives the driver what {@link receive} has, within its transmit round; null: no ring receives. */
  private deliver: (() => void) | null = null
  /** Frames in the driver's own memory that are given back from there, and how many of them are. */
  private passing: FrameBatch | null = null
  private passed = 0
  private head = 0
  /** What {@link touchFrames} gave. */
  protected touched = 0
  private readonly sent = new FrameTotals()
  private short = 0
  private full = 0
  private cleared = 0

  /** @throws VringError ERR_OUT_OF_RANGE */
  constructor(options: LoopbackOptions = {}) {
    const { limit = 1024, bytes = 1 << 20 } = options
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= 65_536))
      throw refused('ERR_OUT_OF_RANGE', 'limit', limit, '1 to 65536 frames')
    if (!(Number.isInteger(bytes) && bytes >= SLOT_BYTES_MAX && bytes <= 2 ** 30 && bytes % 8 === 0))
      throw refused('ERR_OUT_OF_RANGE', 'bytes', bytes, `a multiple of 8 from ${SLOT_BYTES_MAX} to 2^30`)
    this.view = memoryView(new ArrayBuffer(bytes))
    this.bytes = bytes
    this.limit = limit
    this.at = new Uint32Array(limit)
    this.length = new Uint32Array(limit)
    this.batch = new FrameBatch(NET_HDR_MRG_BYTES, this.view)
  }

  transmit(frames: FrameBatch): number {
    const { count, offset, length, headerBytes, view } = frames
    let bytes = 0
    let short = 0
    this.touched = touchFrames(frames, headerBytes)
    for (let i = 0; i < count; i++) {
      const frame = (length[i]! - headerBytes) | 0
      bytes = (bytes + frame) | 0
      if (frame < ETH_HEADER_BYTES) short++
    }
    for (let i = short === 0 ? this.pass(frames) : 0; i < count; i++) {
      const frame = length[i]! - headerBytes
      if (frame < ETH_HEADER_BYTES) this.short++
      else if (this.push(view, offset[i]! + headerBytes, frame) === false) this.full++
    }
    this.sent.add(count, bytes)
    return count
  }

  /** Frames after which nothing waits are copied once, to where the driver receives them. */
  connect(deliver: (() => void) | null): void {
    this.deliver = deliver
  }

  flush(): void {}

  receive(): FrameBatch {
    if (this.passing !== null && this.passed === 0) return this.passing
    const { batch, limit, at, length } = this
    const count = Math.min(this.waiting, NET_BATCH)
    let slot = this.first
    for (let i = 0; i < count; i++) {
      batch.offset[i] = at[slot]! + LEAD_BYTES
      batch.length[i] = length[slot]!
      slot = slot + 1 === limit ? 0 : slot + 1
    }
    batch.count = count
    return batch
  }

  consume(count: number): void {
    if (this.passing !== null) {
      this.passed += count
      return
    }
    this.first = (this.first + count) % this.limit
    this.waiting -= count
  }

  /** Drops what waits, counted as `cleared`: one driver's frames are not the next one's. */
  clear(): void {
    this.cleared += this.waiting
    this.consume(this.waiting)
  }

  get counters(): NetBackendCounters {
    const { short, full, cleared } = this
    const reasons = Object.entries({ short, full, cleared }).filter(([, dropped]) => dropped > 0)
    const { frames, bytes } = this.sent
    return { txFrames: frames, txBytes: bytes, txDropped: Object.fromEntries(reasons) }
  }

  close(): void {}

  /** Gives the driver frames of its own memory while none waits before them; how many it took. */
  private pass(frames: FrameBatch): number {
    if (this.deliver === null || this.waiting > 0) return 0
    this.passing = frames
    this.passed = 0
    frames.bare = true
    try {
      this.deliver()
    } finally {
      frames.bare = false
      this.passing = null
    }
    return this.passed
  }

  /** Copies a frame after the others; false when there is no room. */
  private push(from: MemoryView, fromOffset: number, frameBytes: number): boolean {
    const total = NET_HDR_MRG_BYTES + frameBytes
    const span = spanOf(total)
    const start = this.reserve(span)
    if (start < 0) return false
    const at = start + LEAD_BYTES
    const word = at >>> 2
    const { u32 } = this.view
    // The sender's header asks the device for things (checksum, segments) that this wire does not do.
    u32[word] = 0
    u32[word + 1] = 0
    u32[word + 2] = 0
    plainCpu.copy(this.view, at + NET_HDR_MRG_BYTES, from, fromOffset, frameBytes)
    let slot = this.first + this.waiting
    if (slot >= this.limit) slot -= this.limit
    this.at[slot] = start
    this.length[slot] = total
    this.waiting++
    this.head = start + span
    return true
  }

  /** Where `span` bytes fit in one piece, or -1. */
  private reserve(span: number): number {
    if (this.waiting === 0) return span <= this.bytes ? 0 : -1
    if (this.waiting === this.limit) return -1
    const { head } = this
    const tail = this.at[this.first]!
    // Frames lie between tail and head; when they wrap around the end, the room is between head and tail.
    if (head <= tail) return span <= tail - head ? head : -1
    if (span <= this.bytes - head) return head
    return span <= tail ? 0 : -1
  }
}

/** Bytes that a header and frame of `bytes` take: the next one starts at a multiple of 8. */
function spanOf(bytes: number): number {
  return (LEAD_BYTES + bytes + 7) & ~7
}
