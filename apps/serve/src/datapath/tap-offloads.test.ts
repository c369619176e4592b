import {
  featureSet,
  VIRTIO_NET_F_CSUM,
  VIRTIO_NET_F_GUEST_CSUM,
  VIRTIO_NET_F_GUEST_ECN,
  VIRTIO_NET_F_GUEST_TSO4,
  VIRTIO_NET_F_GUEST_TSO6,
  VIRTIO_NET_F_GUEST_USO4,
} from '@vring/layout'
import { TUN_F_CSUM, TUN_F_TSO_ECN, TUN_F_TSO4, TUN_F_TSO6, TUN_F_USO4, TUN_F_USO6 } from '@vring/linux'
import { expect, test } from 'vitest'
import { TAP_FEATURES, TAP_USO_FEATURES, tunOffloadFlags } from './tap-offloads.ts'

test.each<[string, bigint, number]>([
  ['nothing', 0n, 0],
  ['what only the driver sends', featureSet(VIRTIO_NET_F_CSUM), 0],
  ['segments without checksums', featureSet(VIRTIO_NET_F_GUEST_TSO4), 0],
  ['checksums', featureSet(VIRTIO_NET_F_GUEST_CSUM), TUN_F_CSUM],
  [
    'IPv6 segments with ECN',
    featureSet(VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_ECN),
    TUN_F_CSUM | TUN_F_TSO6 | TUN_F_TSO_ECN,
  ],
  ['all that every kernel has', TAP_FEATURES, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN],
  ['UDP segments of IPv4 alone', featureSet(VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_USO4), TUN_F_CSUM],
  [
    'everything',
    TAP_FEATURES | TAP_USO_FEATURES,
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
  ],
])('virtio 1.3 5.1.3.1 a TAP may leave to the driver: %s', (_name, features, flags) => {
  expect(tunOffloadFlags(features)).toBe(flags)
})
