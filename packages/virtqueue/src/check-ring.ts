import { hasFeature, type RingAreas, refused, VIRTIO_F_EVENT_IDX, VIRTIO_F_RING_PACKED } from '@vring/layout'

/**
 * Two features decide what a ring is, and are in both: RING_PACKED its format, EVENT_IDX what its event words are. A device and
 * a driver that disagree about one of them read each other's words as something else, or wait for calls that never come.
 *
 * @param format of the queue that is made
 * @throws VringError ERR_INVALID_ARGUMENT
 */
export function checkRing(ring: RingAreas, features: bigint, format: RingAreas['format']): void {
  if (typeof features !== 'bigint')
    throw refused('ERR_INVALID_ARGUMENT', 'features', features, 'a bigint of feature bits, as of featureSet()')
  if (hasFeature(features, VIRTIO_F_RING_PACKED) !== (ring.format === 'packed'))
    throw refused('ERR_INVALID_ARGUMENT', 'ring.format', ring.format, acceptedFormat(features))
  if (ring.format !== format)
    throw refused('ERR_INVALID_ARGUMENT', 'ring.format', ring.format, `${format}, as the queue is`)
  if (hasFeature(features, VIRTIO_F_EVENT_IDX) !== ring.eventIdx)
    throw refused('ERR_INVALID_ARGUMENT', 'ring.eventIdx', ring.eventIdx, acceptedEventIdx(features))
}

function acceptedFormat(features: bigint): string {
  return hasFeature(features, VIRTIO_F_RING_PACKED)
    ? 'packed, as features have VIRTIO_F_RING_PACKED'
    : 'split, or features with VIRTIO_F_RING_PACKED'
}

function acceptedEventIdx(features: bigint): string {
  return hasFeature(features, VIRTIO_F_EVENT_IDX)
    ? 'true, as features have VIRTIO_F_EVENT_IDX'
    : 'false, or features with VIRTIO_F_EVENT_IDX'
}
