import { hasFeature, VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF } from './feature-bits.ts'

/**
 * struct virtio_net_hdr (VirtIO 1.3 section 5.1.6), little-endian.
 *
 * ```
 *   0      1         2         4          6            8             10            12
 *   ├ flags ┼ gso_type ┼ hdr_len ┼ gso_size ┼ csum_start ┼ csum_offset ┼ num_buffers ┤
 * ```
 */
export const NET_HDR_FLAGS_OFFSET = 0
export const NET_HDR_GSO_TYPE_OFFSET = 1
export const NET_HDR_HDR_LEN_OFFSET = 2
export const NET_HDR_GSO_SIZE_OFFSET = 4
export const NET_HDR_CSUM_START_OFFSET = 6
export const NET_HDR_CSUM_OFFSET_OFFSET = 8
export const NET_HDR_NUM_BUFFERS_OFFSET = 10
/** Bytes of the legacy header without num_buffers. */
export const NET_HDR_LEGACY_BYTES = 10
/** Bytes of the header with num_buffers: VERSION_1 or MRG_RXBUF. */
export const NET_HDR_MRG_BYTES = 12

/** The checksum is partial: csum_start and csum_offset say where to complete it. */
export const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1
/** The checksum was validated. */
export const VIRTIO_NET_HDR_F_DATA_VALID = 2
export const VIRTIO_NET_HDR_GSO_NONE = 0
export const VIRTIO_NET_HDR_GSO_TCPV4 = 1
export const VIRTIO_NET_HDR_GSO_UDP = 3
export const VIRTIO_NET_HDR_GSO_TCPV6 = 4
export const VIRTIO_NET_HDR_GSO_UDP_L4 = 5
/** Bit beside the type: the segments carry ECN. */
export const VIRTIO_NET_HDR_GSO_ECN = 0x80

/** Bytes of an Ethernet header: the least that a frame can be. */
export const ETH_HEADER_BYTES = 14

/** Bytes of the header before each frame under these features (VirtIO 1.3 section 5.1.6.1). */
export function netHeaderBytes(features: bigint): number {
  return hasFeature(features, VIRTIO_F_VERSION_1) || hasFeature(features, VIRTIO_NET_F_MRG_RXBUF)
    ? NET_HDR_MRG_BYTES
    : NET_HDR_LEGACY_BYTES
}
