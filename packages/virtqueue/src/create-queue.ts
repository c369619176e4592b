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
  return options.ring.format === 'packed' ? new PackedDeviceQueue(options) : new SplitDeviceQueue(options)
}

/**
 * The driver side of a ring, of the ring's format.
 *
 * @throws VringError ERR_INVALID_ARGUMENT for a ring that is not of the negotiated features
 */
export function createDriverQueue(options: DriverQueueOptions): DriverQueue {
  return options.ring.format === 'packed' ? new PackedDriverQueue(options) : new SplitDriverQueue(options)
}
