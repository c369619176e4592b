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
const ETHERTYPE_OFFSET = 12
const ETH_P_IP = 0x0800
const ETH_P_IPV6 = 0x86dd
const ETH_P_8021Q = 0x8100
const ETH_P_8021AD = 0x88a8
const VLAN_TAG_BYTES = 4
const VLAN_TAGS_MAX = 2

/**
 * Does a virtio-net header tell the truth about its frame? Source: Linux include/linux/virtio_net.h,
 * virtio_net_hdr_to_skb, and drivers/net/tun.c, tun_get_user.
 *
 * @param u8 a copy that no other thread writes to
 * @param at where the header starts
 * @param frame where the frame is, with its first byte at `frameAt`
 * @param frameBytes bytes of the frame
 * @returns 0, or -EINVAL. That is a checksum beyond the frame, a header longer than it, a segmentation that is unknown,
 * has no size, or is of another protocol than the frame
 */
export function checkNetHeader(
  u8: Uint8Array,
  at: number,
  frame: Uint8Array,
  frameAt: number,
  frameBytes: number,
): number {
  const flags = u8[at + NET_HDR_FLAGS_OFFSET]!
  const type = u8[at + NET_HDR_GSO_TYPE_OFFSET]!
  if (read16(u8, at + NET_HDR_HDR_LEN_OFFSET) > frameBytes) return EINVAL
  if ((flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0) {
    const field = read16(u8, at + NET_HDR_CSUM_START_OFFSET) + read16(u8, at + NET_HDR_CSUM_OFFSET_OFFSET)
    if (field + CSUM_BYTES > frameBytes) return EINVAL
  }
  if (type === VIRTIO_NET_HDR_GSO_NONE) return 0
  if (!GSO_TYPES.includes(type & ~VIRTIO_NET_HDR_GSO_ECN)) return EINVAL
  if (read16(u8, at + NET_HDR_GSO_SIZE_OFFSET) === 0) return EINVAL
  return segmentsProtocol(type, protocolOf(frame, frameAt, frameBytes)) ? 0 : EINVAL
}

/** Source: Linux include/linux/virtio_net.h, virtio_net_hdr_match_proto. */
function segmentsProtocol(type: number, protocol: number): boolean {
  const kind = type & ~VIRTIO_NET_HDR_GSO_ECN
  if (kind === VIRTIO_NET_HDR_GSO_TCPV4) return protocol === ETH_P_IP
  if (kind === VIRTIO_NET_HDR_GSO_TCPV6) return protocol === ETH_P_IPV6
  return protocol === ETH_P_IP || protocol === ETH_P_IPV6
}

/** EtherType of a frame, inside of up to two VLAN tags; 0 where it ends before. */
function protocolOf(frame: Uint8Array, at: number, bytes: number): number {
  for (let tags = 0, offset = ETHERTYPE_OFFSET; offset + 2 <= bytes; offset += VLAN_TAG_BYTES) {
    const protocol = (frame[at + offset]! << 8) | frame[at + offset + 1]!
    if ((protocol !== ETH_P_8021Q && protocol !== ETH_P_8021AD) || tags++ === VLAN_TAGS_MAX) return protocol
  }
  return 0
}

function read16(u8: Uint8Array, at: number): number {
  return u8[at]! | (u8[at + 1]! << 8)
}
