import {
  featureSet,
  hasFeature,
  VIRTIO_NET_F_CSUM,
  VIRTIO_NET_F_GUEST_CSUM,
  VIRTIO_NET_F_GUEST_ECN,
  VIRTIO_NET_F_GUEST_TSO4,
  VIRTIO_NET_F_GUEST_TSO6,
  VIRTIO_NET_F_HOST_ECN,
  VIRTIO_NET_F_HOST_TSO4,
  VIRTIO_NET_F_HOST_TSO6,
} from '@vring/layout'
import {
  setTunCarrier,
  setTunOffload,
  systemErrnoOf,
  TUN_F_CSUM,
  TUN_F_TSO_ECN,
  TUN_F_TSO4,
  TUN_F_TSO6,
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

/**
 * What the kernel may leave to a driver with these features, as TUNSETOFFLOAD takes it. Segments need checksums: a driver
 * that takes one without the other gets neither.
 */
export function tunOffloadFlags(features: bigint): number {
  if (!hasFeature(features, VIRTIO_NET_F_GUEST_CSUM)) return 0
  return (
    TUN_F_CSUM |
    (hasFeature(features, VIRTIO_NET_F_GUEST_TSO4) ? TUN_F_TSO4 : 0) |
    (hasFeature(features, VIRTIO_NET_F_GUEST_TSO6) ? TUN_F_TSO6 : 0) |
    (hasFeature(features, VIRTIO_NET_F_GUEST_ECN) ? TUN_F_TSO_ECN : 0)
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
