import type { BufferPiece, Used } from '../driver/driver-ring.ts'
import type { SharedMemory } from '../driver/shared-memory.ts'
import { blkProfile } from './blk.ts'
import { netProfile } from './net.ts'

export type DeviceName = 'net' | 'blk'

/** One request of a device's driver. */
export interface DeviceRequest {
  readonly chain: readonly BufferPiece[]
  /**
   * Looks at what the device has made of it.
   *
   * @throws CaseFailure
   */
  check(used: Used): void
}

/** How to give a device work: what the judge knows of its type. */
export interface DeviceProfile {
  readonly name: DeviceName
  /** Virtio features that its driver acknowledges where they are offered, bit numbers. */
  readonly features: readonly number[]
  /** Queues that are set up before it works: some back-ends wait for all of a pair. */
  readonly queues: readonly number[]
  /** Index of the queue that takes requests. */
  readonly requestQueue: number
  /** The device writes into its requests; else it only reads them. */
  readonly writes: boolean
  /** Descriptors of one request. */
  readonly descriptors: number
  /** A request that any device of this type serves, and that changes nothing. */
  request(memory: SharedMemory): DeviceRequest
}

/** The profile of a device by its name. */
export function deviceProfile(name: DeviceName): DeviceProfile {
  return name === 'net' ? netProfile : blkProfile
}
