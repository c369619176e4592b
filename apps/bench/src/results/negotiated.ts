import { featureNames, VIRTIO_ID_NET } from '@vring/layout'

/** Names of negotiated features for a table, in the order of their bits: `['MRG_RXBUF', 'VERSION_1']`. */
export function negotiatedNames(features: bigint): string[] {
  if (features === 0n) return []
  return featureNames(features, VIRTIO_ID_NET)
    .split(', ')
    .map((name) => name.replace(/^(VIRTIO_NET_F|VIRTIO_F|VHOST_USER_F|VHOST_F)_/, '').replace(/ \(\d+\)$/, ''))
}
