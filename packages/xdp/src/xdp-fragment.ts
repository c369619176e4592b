import type { XdpContext } from './xdp-context.ts'

/** A piece of a frame after its first one: `start` to `end` of `u8`. Source: Linux include/linux/skbuff.h, skb_frag_t. */
export interface XdpFragment {
  readonly u8: Uint8Array
  readonly start: number
  end: number
  /** How far a frame may grow in it. */
  readonly hardEnd: number
}

/**
 * Copies bytes of a frame, wherever its pieces part, out of it or into it.
 * Source: Linux net/core/filter.c, bpf_xdp_copy_buf.
 *
 * @param offset from the start of the frame; the caller has checked that `bytes` from there on are in it
 */
export function copyFrame(
  context: XdpContext,
  offset: number,
  memory: Uint8Array,
  at: number,
  bytes: number,
  into: boolean,
): void {
  const { u8, data, dataEnd, fragments } = context
  let skipped = offset
  let done = copyPiece(u8, data, dataEnd, skipped, memory, at, bytes, into)
  skipped = Math.max(0, skipped - (dataEnd - data))
  for (let i = 0; i < fragments.length && done < bytes; i++) {
    const one = fragments[i]!
    done += copyPiece(one.u8, one.start, one.end, skipped, memory, at + done, bytes - done, into)
    skipped = Math.max(0, skipped - (one.end - one.start))
  }
}

/** @returns bytes that lay in the piece */
function copyPiece(
  u8: Uint8Array,
  start: number,
  end: number,
  offset: number,
  memory: Uint8Array,
  at: number,
  bytes: number,
  into: boolean,
): number {
  const count = Math.min(bytes, end - start - offset)
  if (count <= 0) return 0
  const from = start + offset
  if (into) for (let i = 0; i < count; i++) u8[from + i] = memory[at + i]!
  else for (let i = 0; i < count; i++) memory[at + i] = u8[from + i]!
  return count
}
