import { refused } from './vring-error.ts'

/**
 * Feature bit numbers (VirtIO 1.3 sections 5.1.3, 5.2.3 and 6; bit 26 is that of Linux vhost, bit 30 that of vhost-user).
 * A set of features is a `bigint`: it belongs to the control plane.
 */
export const VIRTIO_NET_F_CSUM = 0
export const VIRTIO_NET_F_GUEST_CSUM = 1
export const VIRTIO_NET_F_CTRL_GUEST_OFFLOADS = 2
export const VIRTIO_NET_F_MTU = 3
export const VIRTIO_NET_F_MAC = 5
export const VIRTIO_NET_F_GUEST_TSO4 = 7
export const VIRTIO_NET_F_GUEST_TSO6 = 8
export const VIRTIO_NET_F_GUEST_ECN = 9
export const VIRTIO_NET_F_GUEST_UFO = 10
export const VIRTIO_NET_F_HOST_TSO4 = 11
export const VIRTIO_NET_F_HOST_TSO6 = 12
export const VIRTIO_NET_F_HOST_ECN = 13
export const VIRTIO_NET_F_HOST_UFO = 14
export const VIRTIO_NET_F_MRG_RXBUF = 15
export const VIRTIO_NET_F_STATUS = 16
export const VIRTIO_NET_F_CTRL_VQ = 17
export const VIRTIO_NET_F_CTRL_RX = 18
export const VIRTIO_NET_F_CTRL_VLAN = 19
export const VIRTIO_NET_F_CTRL_RX_EXTRA = 20
export const VIRTIO_NET_F_GUEST_ANNOUNCE = 21
export const VIRTIO_NET_F_MQ = 22
export const VIRTIO_NET_F_CTRL_MAC_ADDR = 23
export const VIRTIO_NET_F_HASH_TUNNEL = 51
export const VIRTIO_NET_F_VQ_NOTF_COAL = 52
export const VIRTIO_NET_F_NOTF_COAL = 53
export const VIRTIO_NET_F_GUEST_USO4 = 54
export const VIRTIO_NET_F_GUEST_USO6 = 55
export const VIRTIO_NET_F_HOST_USO = 56
export const VIRTIO_NET_F_HASH_REPORT = 57
export const VIRTIO_NET_F_GUEST_HDRLEN = 59
export const VIRTIO_NET_F_RSS = 60
export const VIRTIO_NET_F_RSC_EXT = 61
export const VIRTIO_NET_F_STANDBY = 62
export const VIRTIO_NET_F_SPEED_DUPLEX = 63

/** Block device (VirtIO 1.3 section 5.2.3). */
export const VIRTIO_BLK_F_SIZE_MAX = 1
export const VIRTIO_BLK_F_SEG_MAX = 2
export const VIRTIO_BLK_F_GEOMETRY = 4
export const VIRTIO_BLK_F_RO = 5
export const VIRTIO_BLK_F_BLK_SIZE = 6
export const VIRTIO_BLK_F_FLUSH = 9
export const VIRTIO_BLK_F_TOPOLOGY = 10
export const VIRTIO_BLK_F_CONFIG_WCE = 11
export const VIRTIO_BLK_F_MQ = 12
export const VIRTIO_BLK_F_DISCARD = 13
export const VIRTIO_BLK_F_WRITE_ZEROES = 14
export const VIRTIO_BLK_F_LIFETIME = 15
export const VIRTIO_BLK_F_SECURE_ERASE = 16
export const VIRTIO_BLK_F_ZONED = 17

/** Legacy: always notify when the queue runs empty. */
export const VIRTIO_F_NOTIFY_ON_EMPTY = 24
/** Linux vhost: log every write of the device for migration (VHOST_F_LOG_ALL). */
export const VHOST_F_LOG_ALL = 26
export const VIRTIO_F_ANY_LAYOUT = 27
export const VIRTIO_F_INDIRECT_DESC = 28
export const VIRTIO_F_EVENT_IDX = 29
/** vhost-user: protocol features can be negotiated (VHOST_USER_F_PROTOCOL_FEATURES). */
export const VHOST_USER_F_PROTOCOL_FEATURES = 30
export const VIRTIO_F_VERSION_1 = 32
export const VIRTIO_F_ACCESS_PLATFORM = 33
export const VIRTIO_F_RING_PACKED = 34
export const VIRTIO_F_IN_ORDER = 35
export const VIRTIO_F_ORDER_PLATFORM = 36
export const VIRTIO_F_SR_IOV = 37
export const VIRTIO_F_NOTIFICATION_DATA = 38
export const VIRTIO_F_NOTIF_CONFIG_DATA = 39
export const VIRTIO_F_RING_RESET = 40
export const VIRTIO_F_ADMIN_VQ = 41

/** Bits of a feature word: what vhost-user's messages and the transports' registers carry. */
export const FEATURE_BITS = 64

/**
 * The set of features with exactly these bit numbers.
 *
 * @throws VringError ERR_OUT_OF_RANGE for what is no bit number from 0 to 63
 */
export function featureSet(...bits: readonly number[]): bigint {
  return bits.reduce((set, bit) => set | maskOf(bit), 0n)
}

/**
 * Is feature `bit` in `features`?
 *
 * @throws VringError ERR_OUT_OF_RANGE for what is no bit number from 0 to 63
 */
export function hasFeature(features: bigint, bit: number): boolean {
  return (features & maskOf(bit)) !== 0n
}

function maskOf(bit: number): bigint {
  if (!Number.isInteger(bit) || bit < 0 || bit >= FEATURE_BITS)
    throw refused('ERR_OUT_OF_RANGE', 'feature bit', bit, `0 to ${FEATURE_BITS - 1}`)
  return 1n << BigInt(bit)
}
