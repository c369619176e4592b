import { hasFeature, type RingAreas, refused, VIRTIO_F_EVENT_IDX, VIRTIO_F_RING_PACKED } from '@vring/layout'
import type { DeviceQueue, DeviceQueueOptions } from './device-queue.ts'
import type { DriverQueue, DriverQueueOptions } from './driver-queue.ts'
import { PackedDeviceQueue } from './packed/packed-device-queue.ts'
import { PackedDriverQueue } from './packed/packed-driver-queue.ts'
import { SplitDeviceQueue } from './split/split-device-queue.ts'
import { SplitDriverQueue } from './split/split-driver-queue.ts'

/**
 * The device side of a ring, of the ring's format.
 *
 * @throws VringError ERR_OUT_OF_RANGE for an option, ERR_INVALID_ARGUMENT for a ring that is not of the negotiated features
 */
export function createDeviceQueue(options: DeviceQueueOptions): DeviceQueue {
  checkFeatures(options.ring, options.features)
  return options.ring.format === 'packed' ? new PackedDeviceQueue(options) : new SplitDeviceQueue(options)
}

/**
 * The driver side of a ring, of the ring's format.
 *
 * @throws VringError ERR_INVALID_ARGUMENT for a ring that is not of the negotiated features
 */
export function createDriverQueue(options: DriverQueueOptions): DriverQueue {
  checkFeatures(options.ring, options.features)
  return options.ring.format === 'packed' ? new PackedDriverQueue(options) : new SplitDriverQueue(options)
}

/**
 * Two features decide what a ring is, and are in both: RING_PACKED its format, EVENT_IDX what its event words are. A device and
 * a driver that disagree about one of them read each other's words as something else, or wait for calls that never come.
 */
function checkFeatures(ring: RingAreas, features: bigint): void {
  if (typeof features !== 'bigint')
    throw refused('ERR_INVALID_ARGUMENT', 'features', features, 'a bigint of feature bits, as of featureSet()')
  if (hasFeature(features, VIRTIO_F_RING_PACKED) !== (ring.format === 'packed'))
    throw refused('ERR_INVALID_ARGUMENT', 'ring.format', ring.format, acceptedFormat(features))
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
