import { plainCpu } from '@vring/accessor'
import { refused } from '@vring/layout'
import { type MemoryView, memoryView } from '@vring/memory'
import { FrameBatch, NET_BATCH } from './frame-batch.ts'
import type { FrameSource } from './frame-source.ts'

/**
 * A bounded first-in-first-out queue of frames with their virtio-net headers, in one buffer:
 *
 * ```
 *   buffer  |  free  | header frame | header frame | ... |  free  |     each starts at a multiple of 4
 *                    ^ oldest                             ^ next
 * ```
 *
 * A frame is always in one piece: one that does not fit before the buffer's end starts at its beginning. Reading is
 * a {@link FrameSource}; the frames of a batch stay where they are until they are consumed.
 */
export class FrameQueue implements FrameSource {
  /** Frames that wait. */
  waiting = 0
  private readonly view: MemoryView
  private readonly bytes: number
  private readonly limit: number
  /** Position of each frame, and its bytes; slot = free-running index modulo the limit. */
  private readonly offset: Float64Array
  private readonly length: Float64Array
  private first = 0
  /** Where the next frame goes. */
  private head = 0
  private readonly batch: FrameBatch

  /**
   * @param headerBytes bytes of the header before each frame, 10 or 12
   * @param limit frames that may wait
   * @param bytes room for them together, headers included; a multiple of 4
   * @throws VringError ERR_OUT_OF_RANGE
   */
  constructor(headerBytes: number, limit: number, bytes: number) {
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= 65_536))
      throw refused('ERR_OUT_OF_RANGE', 'limit', limit, '1 to 65536 frames')
    if (!(Number.isInteger(bytes) && bytes >= 4 && bytes <= 2 ** 30 && bytes % 4 === 0))
      throw refused('ERR_OUT_OF_RANGE', 'bytes', bytes, 'a multiple of 4, up to 2^30')
    this.view = memoryView(new ArrayBuffer(bytes))
    this.bytes = bytes
    this.limit = limit
    this.offset = new Float64Array(limit)
    this.length = new Float64Array(limit)
    this.batch = new FrameBatch(headerBytes, this.view)
  }

  /**
   * Copies header and frame from two places after the others.
   *
   * @returns false when there is no room: nothing is copied
   */
  push(header: MemoryView, headerAt: number, frame: MemoryView, frameAt: number, frameBytes: number): boolean {
    const { headerBytes } = this.batch
    const total = headerBytes + frameBytes
    const at = this.reserve((total + 3) & ~3)
    if (at < 0) return false
    plainCpu.copy(this.view, at, header, headerAt, headerBytes)
    plainCpu.copy(this.view, at + headerBytes, frame, frameAt, frameBytes)
    const slot = (this.first + this.waiting++) % this.limit
    this.offset[slot] = at
    this.length[slot] = total
    this.head = at + ((total + 3) & ~3)
    return true
  }

  receive(): FrameBatch {
    const { batch, limit } = this
    const count = Math.min(this.waiting, NET_BATCH)
    for (let i = 0; i < count; i++) {
      const slot = (this.first + i) % limit
      batch.offset[i] = this.offset[slot]!
      batch.length[i] = this.length[slot]!
    }
    batch.count = count
    return batch
  }

  consume(count: number): void {
    this.first = (this.first + count) % this.limit
    this.waiting -= count
    this.batch.count = 0
  }

  /** Where `bytes` fit in one piece, or -1. */
  private reserve(bytes: number): number {
    const { head } = this
    if (this.waiting === this.limit || bytes > this.bytes) return -1
    if (this.waiting === 0) return bytes <= this.bytes - head ? head : 0
    const tail = this.offset[this.first]!
    // Frames lie between tail and head; when they wrap around the end, the room is between head and tail.
    if (head > tail) {
      if (bytes <= this.bytes - head) return head
      return bytes <= tail ? 0 : -1
    }
    return bytes <= tail - head ? head : -1
  }
}
