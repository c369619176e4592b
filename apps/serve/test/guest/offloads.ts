import {
  featureSet,
  VIRTIO_NET_F_CSUM,
  VIRTIO_NET_F_GUEST_CSUM,
  VIRTIO_NET_F_GUEST_ECN,
  VIRTIO_NET_F_GUEST_TSO4,
  VIRTIO_NET_F_GUEST_TSO6,
  VIRTIO_NET_F_HOST_ECN,
  VIRTIO_NET_F_HOST_TSO4,
  VIRTIO_NET_F_HOST_TSO6,
} from '@vring/layout'

/** Checksums and segments, in both directions, with the names of QEMU's properties. */
const OFFLOADS = {
  csum: VIRTIO_NET_F_CSUM,
  guest_csum: VIRTIO_NET_F_GUEST_CSUM,
  guest_tso4: VIRTIO_NET_F_GUEST_TSO4,
  guest_tso6: VIRTIO_NET_F_GUEST_TSO6,
  guest_ecn: VIRTIO_NET_F_GUEST_ECN,
  host_tso4: VIRTIO_NET_F_HOST_TSO4,
  host_tso6: VIRTIO_NET_F_HOST_TSO6,
  host_ecn: VIRTIO_NET_F_HOST_ECN,
}

/** Virtio features of all offloads. */
export const OFFLOAD_FEATURES: bigint = featureSet(...Object.values(OFFLOADS))

/** Properties of a network card without them. */
export const WITHOUT_OFFLOADS: readonly string[] = Object.keys(OFFLOADS).map((name) => `${name}=off`)
