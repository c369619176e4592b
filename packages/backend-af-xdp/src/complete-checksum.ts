import { EINVAL } from '@vring/layout'

/**
 * Completes a partial checksum (VIRTIO_NET_HDR_F_NEEDS_CSUM). It is the ones' complement sum from `start` to the end of
 * the frame, in which the field holds that of the pseudo header. Source: VirtIO 1.3 section 5.1.6.2, RFC 1071.
 *
 * @param u8 memory that no other thread writes to
 * @param frame where the frame starts
 * @param bytes its length
 * @param start csum_start: where the sum begins, from the frame's start
 * @param offset csum_offset: where it is stored, from `start`
 * @returns 0, or -EINVAL: the field is not inside the frame
 */
export function completeChecksum(u8: Uint8Array, frame: number, bytes: number, start: number, offset: number): number {
  const field = start + offset
  if (field + 2 > bytes) return EINVAL
  const end = frame + bytes
  let sum = 0
  let at = frame + start
  // At most 65549 bytes: the sum stays below 2^32.
  for (; at + 1 < end; at += 2) sum += (u8[at]! << 8) | u8[at + 1]!
  if (at < end) sum += u8[at]! << 8
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  // Zero stands for "no checksum" in UDP; both zeros mean the same elsewhere.
  const checksum = ~sum & 0xffff || 0xffff
  u8[frame + field] = checksum >>> 8
  u8[frame + field + 1] = checksum & 0xff
  return 0
}
