import {
  featureSet,
  hasFeature,
  VIRTIO_NET_F_CSUM,
  VIRTIO_NET_F_GUEST_CSUM,
  VIRTIO_NET_F_GUEST_ECN,
  VIRTIO_NET_F_GUEST_TSO4,
  VIRTIO_NET_F_GUEST_TSO6,
  VIRTIO_NET_F_GUEST_USO4,
  VIRTIO_NET_F_GUEST_USO6,
  VIRTIO_NET_F_HOST_ECN,
  VIRTIO_NET_F_HOST_TSO4,
  VIRTIO_NET_F_HOST_TSO6,
  VIRTIO_NET_F_HOST_USO,
} from '@vring/layout'
import {
  setTunCarrier,
  setTunOffload,
  systemErrnoOf,
  TUN_F_CSUM,
  TUN_F_TSO_ECN,
  TUN_F_TSO4,
  TUN_F_TSO6,
  TUN_F_USO4,
  TUN_F_USO6,
  tunTakesUdpSegments,
} from '@vring/linux'

/**
 * Virtio features that a TAP with virtio-net headers takes part in: checksums and segments that one side leaves to the
 * other (VirtIO 1.3 section 5.1.3).
 */
export const TAP_FEATURES: bigint = featureSet(
  VIRTIO_NET_F_CSUM,
  VIRTIO_NET_F_HOST_TSO4,
  VIRTIO_NET_F_HOST_TSO6,
  VIRTIO_NET_F_HOST_ECN,
  VIRTIO_NET_F_GUEST_CSUM,
  VIRTIO_NET_F_GUEST_TSO4,
  VIRTIO_NET_F_GUEST_TSO6,
  VIRTIO_NET_F_GUEST_ECN,
)

/** The same of UDP segments, where the kernel has them. */
export const TAP_USO_FEATURES: bigint = featureSet(
  VIRTIO_NET_F_HOST_USO,
  VIRTIO_NET_F_GUEST_USO4,
  VIRTIO_NET_F_GUEST_USO6,
)

/** What the TAP of descriptor `fd` takes part in, on this kernel. No driver is there yet. */
export function tapFeatures(fd: number): bigint {
  return TAP_FEATURES | (tunTakesUdpSegments(fd) ? TAP_USO_FEATURES : 0n)
}

/**
 * What the kernel may leave to a driver with these features, as TUNSETOFFLOAD takes it. Segments need checksums: a driver
 * that takes one without the other gets neither. UDP segments of IPv4 and IPv6 are one thing to the kernel (Linux 6.18
 * drivers/net/tun.c, set_offload): a driver that takes one of them gets none.
 */
export function tunOffloadFlags(features: bigint): number {
  if (!hasFeature(features, VIRTIO_NET_F_GUEST_CSUM)) return 0
  return (
    TUN_F_CSUM |
    (hasFeature(features, VIRTIO_NET_F_GUEST_TSO4) ? TUN_F_TSO4 : 0) |
    (hasFeature(features, VIRTIO_NET_F_GUEST_TSO6) ? TUN_F_TSO6 : 0) |
    (hasFeature(features, VIRTIO_NET_F_GUEST_ECN) ? TUN_F_TSO_ECN : 0) |
    (hasFeature(features, VIRTIO_NET_F_GUEST_USO4) && hasFeature(features, VIRTIO_NET_F_GUEST_USO6)
      ? TUN_F_USO4 | TUN_F_USO6
      : 0)
  )
}

/** Tells the TAP of descriptor `fd`, all its queues, what its driver negotiated; one that was deleted needs no telling. */
export function tapOffloads(fd: number, features: bigint): void {
  unless(['EBADFD'], () => setTunOffload(fd, tunOffloadFlags(features)))
}

/** Tells the TAP of descriptor `fd` whether a driver receives. Kernels before 5.0 have no such call: it keeps its carrier. */
export function tapCarrier(fd: number, carrier: boolean): void {
  unless(['EBADFD', 'EINVAL'], () => setTunCarrier(fd, carrier))
}

function unless(errnos: readonly string[], tell: () => void): void {
  try {
    tell()
  } catch (error) {
    if (!errnos.includes(systemErrnoOf(error) ?? '')) throw error
  }
}
