import {
  EINVAL,
  NET_HDR_CSUM_OFFSET_OFFSET,
  NET_HDR_CSUM_START_OFFSET,
  NET_HDR_FLAGS_OFFSET,
  NET_HDR_GSO_SIZE_OFFSET,
  NET_HDR_GSO_TYPE_OFFSET,
  NET_HDR_HDR_LEN_OFFSET,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_ECN,
  VIRTIO_NET_HDR_GSO_NONE,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  VIRTIO_NET_HDR_GSO_UDP,
  VIRTIO_NET_HDR_GSO_UDP_L4,
} from '@vring/layout'

const GSO_TYPES: readonly number[] = [
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_UDP,
  VIRTIO_NET_HDR_GSO_TCPV6,
  VIRTIO_NET_HDR_GSO_UDP_L4,
]
const CSUM_BYTES = 2

/**
 * Does a virtio-net header tell the truth about its frame? Source: Linux include/linux/virtio_net.h,
 * virtio_net_hdr_to_skb, and drivers/net/tun.c, tun_get_user.
 *
 * @param u8 a copy that nobody else writes to
 * @param at where the header starts
 * @param frameBytes bytes of the frame behind it
 * @returns 0, or -EINVAL: a checksum beyond the frame, a header longer than it, a segmentation that is unknown or has no
 * size
 */
export function checkNetHeader(u8: Uint8Array, at: number, frameBytes: number): number {
  const flags = u8[at + NET_HDR_FLAGS_OFFSET]!
  const type = u8[at + NET_HDR_GSO_TYPE_OFFSET]!
  if (read16(u8, at + NET_HDR_HDR_LEN_OFFSET) > frameBytes) return EINVAL
  if ((flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0) {
    const field = read16(u8, at + NET_HDR_CSUM_START_OFFSET) + read16(u8, at + NET_HDR_CSUM_OFFSET_OFFSET)
    if (field + CSUM_BYTES > frameBytes) return EINVAL
  }
  if (type === VIRTIO_NET_HDR_GSO_NONE) return 0
  if (!GSO_TYPES.includes(type & ~VIRTIO_NET_HDR_GSO_ECN)) return EINVAL
  return read16(u8, at + NET_HDR_GSO_SIZE_OFFSET) === 0 ? EINVAL : 0
}

function read16(u8: Uint8Array, at: number): number {
  return u8[at]! | (u8[at + 1]! << 8)
}
