import { plainCpu } from '@vring/accessor'
import { NET_HDR_MRG_BYTES } from '@vring/layout'
import { XDP_PKT_CONTD, type XdpConsumerRing, type XdpProducerRing } from '@vring/linux'
import type { MemoryView } from '@vring/memory'
import type { ChunkStack } from './chunk-stack.ts'

/**
 * Frames that are longer than a chunk: each lies in several chunks, and has an entry of the ring for each of them. All
 * but the last say that the frame goes on (XDP_PKT_CONTD). Source: Linux Documentation/networking/af_xdp.rst,
 * "Multi-Buffer Support".
 *
 * A batch has each frame in one piece, so that they are joined in slots after the chunks of the UMEM:
 *
 * ```
 *   chunk 0 | ... | chunk n - 1 | slot 0 | slot 1 | ... | slot 63 | slot of the sender
 * ```
 */
export class LongFrames {
  /** Bytes of the frame that {@link join} met last. */
  joined = 0
  private readonly view: MemoryView
  private readonly firstSlot: number
  private readonly slotBytes: number
  private readonly frameBytes: number
  private readonly pieceBytes: number

  /**
   * @param firstSlot where the slots begin in `view`, bytes
   * @param frameBytes of the longest frame
   * @param pieceBytes that a chunk has room for
   */
  constructor(view: MemoryView, firstSlot: number, frameBytes: number, pieceBytes: number) {
    this.view = view
    this.firstSlot = firstSlot
    this.slotBytes = slotBytes(frameBytes)
    this.frameBytes = frameBytes
    this.pieceBytes = pieceBytes
  }

  /** Bytes that `count` slots take. */
  static slotsBytes(count: number, frameBytes: number): number {
    return count * slotBytes(frameBytes)
  }

  /** Where the virtio-net header of the frame in a slot begins in the view. */
  slot(index: number): number {
    return this.firstSlot + index * this.slotBytes
  }

  /**
   * Joins the frame that begins with entry `first` of `available`, in a slot. Its length is {@link joined}. It is not
   * in the slot when that is more than the longest frame.
   *
   * @returns entries that it takes; 0: not all of them are there
   */
  join(rx: XdpConsumerRing, first: number, available: number, slot: number): number {
    const { view, frameBytes } = this
    const { words } = rx
    const to = this.slot(slot) + NET_HDR_MRG_BYTES
    let bytes = 0
    for (let index = first; index < available; index++) {
      const entry = rx.at(index)
      const length = words[entry + 2]!
      if (bytes + length <= frameBytes) plainCpu.copy(view, to + bytes, view, words[entry]!, length)
      bytes += length
      if ((words[entry + 3]! & XDP_PKT_CONTD) !== 0) continue
      this.joined = bytes
      return index - first + 1
    }
    return 0
  }

  /** Entries that a frame takes. */
  pieces(bytes: number): number {
    return Math.ceil(bytes / this.pieceBytes)
  }

  /** Copies a frame into free chunks, and writes their entries from number `first` on: as many as {@link pieces} says. */
  cut(tx: XdpProducerRing, first: number, free: ChunkStack, from: MemoryView, at: number, bytes: number): number {
    const { view, pieceBytes } = this
    const { words } = tx
    let written = 0
    for (let done = 0; done < bytes; written++) {
      const length = Math.min(bytes - done, pieceBytes)
      const chunk = free.pop()
      plainCpu.copy(view, chunk, from, at + done, length)
      done += length
      const entry = tx.at(first + written)
      words[entry] = chunk
      words[entry + 1] = 0
      words[entry + 2] = length
      words[entry + 3] = done < bytes ? XDP_PKT_CONTD : 0
    }
    return written
  }
}

/** A header and a frame; a multiple of 8, as a copy goes by 64-bit words then. */
function slotBytes(frameBytes: number): number {
  return (NET_HDR_MRG_BYTES + frameBytes + 7) & ~7
}
