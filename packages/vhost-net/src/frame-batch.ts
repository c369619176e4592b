import { NET_HDR_LEGACY_BYTES, NET_HDR_MRG_BYTES, refused } from '@vring/layout'
import { type MemoryView, memoryView } from '@vring/memory'

/** Frames that one batch holds. Source: Linux drivers/vhost/net.c, VHOST_NET_BATCH. */
export const NET_BATCH = 64

/**
 * Frames on their way from a queue to a backend, all in one view, as flat columns that are written over with every
 * batch. Each is a virtio-net header of `headerBytes` followed by an Ethernet frame:
 *
 * ```
 *   view.u8   ... | virtio_net_hdr | Ethernet frame | ...
 *                 ^ offset[i]      ^ + headerBytes  ^ offset[i] + length[i]
 * ```
 *
 * In place, the view is the driver's own memory and may change while it is read: read once, check the copy.
 */
export class FrameBatch {
  /** Bytes of the virtio-net header before every frame. */
  headerBytes: number
  count = 0
  /** The headers are the sender's and mean nothing to a receiver: the driver gets empty ones. */
  bare = false
  view: MemoryView
  /** Byte offset of each header in `view`: a view holds less than 2 GiB, so that offsets are small integers. */
  readonly offset: Int32Array = new Int32Array(NET_BATCH)
  /** Bytes of header and frame together; at least `headerBytes`. */
  readonly length: Int32Array = new Int32Array(NET_BATCH)

  /**
   * @param headerBytes 10 or 12, as VirtIO 1.3 section 5.1.6.1 has the header without and with MRG_RXBUF or VERSION_1
   * @param view where the frames are; absent: it is set with every batch
   * @throws VringError ERR_OUT_OF_RANGE for another header, or a view that holds none
   */
  constructor(headerBytes: number, view?: MemoryView) {
    if (headerBytes !== NET_HDR_LEGACY_BYTES && headerBytes !== NET_HDR_MRG_BYTES)
      throw refused('ERR_OUT_OF_RANGE', 'headerBytes', headerBytes, `${NET_HDR_LEGACY_BYTES} or ${NET_HDR_MRG_BYTES}`)
    if (view !== undefined && view.u8.length < headerBytes)
      throw refused('ERR_OUT_OF_RANGE', 'view', `${view.u8.length} bytes`, `room for a header of ${headerBytes} bytes`)
    this.headerBytes = headerBytes
    this.view = view ?? memoryView(new ArrayBuffer(0))
  }
}

/**
 * Loads byte `at` of what each frame begins with (0: its header, `headerBytes`: the frame). The driver wrote frames on
 * another CPU: loads whose results are not used fetch their cache lines side by side, where a reader that goes frame by
 * frame would wait for one after the other. What a prefetch instruction would do, which JavaScript does not have. Frames in
 * memory that is not shared are near anyway.
 *
 * @returns a number that means nothing: keep it in a field, so that the loads are not optimised away
 */
export function touchFrames({ count, offset, view }: FrameBatch, at: number): number {
  const { u8, shared } = view
  if (!shared) return 0
  let bits = 0
  for (let i = 0; i < count; i++) bits |= u8[offset[i]! + at]!
  return bits
}
