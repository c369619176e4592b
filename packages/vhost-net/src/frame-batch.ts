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
  view: MemoryView
  /** Byte offset of each header in `view`: a view holds less than 2 GiB, so that offsets are small integers. */
  readonly offset: Int32Array = new Int32Array(NET_BATCH)
  /** Bytes of header and frame together; at least `headerBytes`. */
  readonly length: Int32Array = new Int32Array(NET_BATCH)

  constructor(headerBytes: number, view: MemoryView = memoryView(new ArrayBuffer(0))) {
    this.headerBytes = headerBytes
    this.view = view
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
