import type { RedirectTargets } from '@vring/ebpf'
import { EACCES, EINVAL, ETH_HEADER_BYTES } from '@vring/layout'
import type { XdpFragment } from './xdp-fragment.ts'

/** A redirect goes to every target of the map. Source: Linux include/uapi/linux/bpf.h. */
export const BPF_F_BROADCAST = 8
/** ... but to the interface that the frame came from. */
export const BPF_F_EXCLUDE_INGRESS = 16

/** The longest metadata area before a frame, bytes. Source: Linux include/net/xdp.h, xdp_metalen_invalid. */
export const XDP_META_BYTES_MAX = 252

/**
 * What a program sees of one frame: struct xdp_buff, flattened into fields that a hook writes over for every frame.
 * All positions are byte offsets into `u8`:
 *
 * ```
 *   u8   ... |  headroom  | metadata |      frame      |  tailroom  | ...
 *            ^ hardStart  ^ dataMeta ^ data    dataEnd ^    hardEnd ^
 * ```
 *
 * The hook guarantees `0 <= hardStart <= dataMeta <= data <= dataEnd <= hardEnd <= u8.length`. The bytes may be a
 * driver's memory that changes while a program reads it: a program reads each field once and checks the copy.
 */
export class XdpContext {
  /** The memory that the frame lies in. */
  u8: Uint8Array
  data = 0
  dataEnd = 0
  /** Start of the metadata that travels with the frame; equal to `data` when there is none. */
  dataMeta = 0
  /** How far {@link adjustHead} and {@link adjustMeta} may go back. */
  hardStart = 0
  /** How far {@link adjustTail} may grow the frame. */
  hardEnd = 0
  /** Interface that the frame arrived on. */
  ingressIfindex = 0
  /** Receive queue that the frame arrived on. */
  rxQueueIndex = 0
  /** Where XDP_REDIRECT goes: an interface index, or the value that `redirectMap` holds for the key. */
  redirectTarget = 0
  /** The map that the redirect went through, or null: `redirectTarget` is an interface index. */
  redirectMap: RedirectTargets | null = null
  /**
   * Flags of a redirect through a map: {@link BPF_F_BROADCAST}, {@link BPF_F_EXCLUDE_INGRESS}; the target is then every
   * one.
   */
  redirectFlags = 0
  /**
   * Pieces of the frame after the one from `data` to `dataEnd`: helpers reach them, loads and stores do not. A hook gives
   * such frames only to programs of sections `xdp.frags`, see `XdpEbpfProgram.acceptsFragments`.
   */
  readonly fragments: XdpFragment[] = []
  /** Bytes of all {@link fragments}. */
  fragmentBytes = 0

  constructor(u8: Uint8Array = new Uint8Array(0)) {
    this.u8 = u8
  }

  /**
   * Points the context at a frame, or at its first piece: see {@link addFragment}.
   *
   * @param data offset of the Ethernet header in `u8`
   * @param length bytes of the frame
   * @param headroom bytes before it that the program may use; default 0: the memory there is not ours
   * @param tailroom bytes after it that the program may use; default 0
   */
  setFrame(u8: Uint8Array, data: number, length: number, headroom = 0, tailroom = 0): void {
    this.u8 = u8
    this.data = data
    this.dataMeta = data
    this.dataEnd = data + length
    this.hardStart = data - headroom
    this.hardEnd = data + length + tailroom
    if (this.fragments.length > 0) this.fragments.length = 0
    this.fragmentBytes = 0
  }

  /**
   * One more piece of the frame.
   *
   * @param tailroom bytes after it that {@link adjustTail} may grow the frame by, if it is the last piece
   */
  addFragment(u8: Uint8Array, start: number, length: number, tailroom = 0): void {
    this.fragments.push({ u8, start, end: start + length, hardEnd: start + length + tailroom })
    this.fragmentBytes += length
  }

  /** Bytes of the frame, all its pieces together. Source: Linux include/net/xdp.h, xdp_get_buff_len. */
  get frameBytes(): number {
    return this.dataEnd - this.data + this.fragmentBytes
  }

  /**
   * Moves the start of the frame: a negative `delta` prepends bytes from the headroom, a positive one removes them.
   * Metadata moves along. Source: Linux net/core/filter.c, bpf_xdp_adjust_head.
   *
   * @returns 0, or -EINVAL: beyond the headroom, or fewer than 14 bytes would remain
   */
  adjustHead(delta: number): number {
    const metaBytes = this.data - this.dataMeta
    const data = this.data + delta
    if (data < this.hardStart + metaBytes || data > this.dataEnd - ETH_HEADER_BYTES) return EINVAL
    if (metaBytes > 0) this.u8.copyWithin(this.dataMeta + delta, this.dataMeta, this.data)
    this.dataMeta += delta
    this.data = data
    return 0
  }

  /**
   * Moves the end of the frame: a positive `delta` grows it into the tailroom with zeros, a negative one cuts it.
   * A frame of several pieces grows in its last one and is cut from its last one on.
   * Source: Linux net/core/filter.c, bpf_xdp_adjust_tail.
   *
   * @returns 0, or -EINVAL: beyond the tailroom, or fewer than 14 bytes would remain
   */
  adjustTail(delta: number): number {
    if (this.fragments.length > 0) return this.#adjustFragments(delta)
    const dataEnd = this.dataEnd + delta
    if (dataEnd > this.hardEnd || dataEnd < this.data + ETH_HEADER_BYTES) return EINVAL
    if (delta > 0) this.u8.fill(0, this.dataEnd, dataEnd)
    this.dataEnd = dataEnd
    return 0
  }

  /**
   * Moves the start of the metadata, which ends where the frame starts.
   * Source: Linux net/core/filter.c, bpf_xdp_adjust_meta.
   *
   * @returns 0, -EINVAL: beyond the headroom or into the frame, or -EACCES: not a multiple of 4 bytes up to 252
   */
  adjustMeta(delta: number): number {
    const dataMeta = this.dataMeta + delta
    if (dataMeta < this.hardStart || dataMeta > this.data) return EINVAL
    const metaBytes = this.data - dataMeta
    if ((metaBytes & 3) !== 0 || metaBytes > XDP_META_BYTES_MAX) return EACCES
    this.dataMeta = dataMeta
    return 0
  }

  /** Source: Linux net/core/filter.c, bpf_xdp_frags_increase_tail and bpf_xdp_frags_shrink_tail. */
  #adjustFragments(delta: number): number {
    const { fragments } = this
    const last = fragments[fragments.length - 1]!
    if (delta >= 0) {
      if (last.end + delta > last.hardEnd) return EINVAL
      last.u8.fill(0, last.end, last.end + delta)
      last.end += delta
      this.fragmentBytes += delta
      return 0
    }
    if (this.frameBytes + delta < ETH_HEADER_BYTES) return EINVAL
    let left = -delta
    while (left > 0 && fragments.length > 0) {
      const one = fragments[fragments.length - 1]!
      const cut = Math.min(left, one.end - one.start)
      one.end -= cut
      left -= cut
      this.fragmentBytes -= cut
      if (one.end === one.start) fragments.pop()
    }
    this.dataEnd -= left
    return 0
  }
}
