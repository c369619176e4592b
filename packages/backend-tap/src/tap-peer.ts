import { NET_HDR_MRG_BYTES } from '@vring/layout'
import { type MemoryView, memoryView } from '@vring/memory'
import type { FrameQueue, FrameSource } from '@vring/vhost-net'

/** A frame that the peer took: copies. */
export interface PeerFrame {
  /** virtio-net header. */
  readonly header: Uint8Array
  /** Ethernet frame. */
  readonly frame: Uint8Array
}

/**
 * The other end of a queue: what would be the network stack of a TAP. For tests, pages and small programs; a
 * consumer in a hurry reads {@link frames}.
 */
export class TapPeer {
  /** Frames that came through the device, without copies. */
  readonly frames: FrameSource
  private readonly headerBytes: number
  private readonly give: (header: MemoryView | null, frame: MemoryView, bytes: number) => boolean

  /** Made by a queue. */
  constructor(
    frames: FrameQueue,
    headerBytes: number,
    give: (header: MemoryView | null, frame: MemoryView, bytes: number) => boolean,
  ) {
    this.frames = frames
    this.headerBytes = headerBytes
    this.give = give
  }

  /** Takes the oldest frame that came through the device, or null: none waits. */
  read(): PeerFrame | null {
    const { count, view, offset, length } = this.frames.receive()
    if (count === 0) return null
    const at = offset[0]!
    const header = view.u8.slice(at, at + this.headerBytes)
    const frame = view.u8.slice(at + this.headerBytes, at + length[0]!)
    this.frames.consume(1)
    return { header, frame }
  }

  /**
   * Sends a frame to the driver.
   *
   * @param header virtio-net header; default zeros: nothing is left to do
   * @returns false when the device dropped it, which it counts
   */
  write(frame: Uint8Array, header?: Uint8Array): boolean {
    const copy = viewOf(frame, frame.length)
    return this.give(header === undefined ? null : viewOf(header, NET_HDR_MRG_BYTES), copy, frame.length)
  }
}

/** The bytes in a buffer of their own, of at least `bytes`. */
function viewOf(bytes: Uint8Array, room: number): MemoryView {
  const view = memoryView(new ArrayBuffer((Math.max(bytes.length, room) + 3) & ~3))
  view.u8.set(bytes)
  return view
}
