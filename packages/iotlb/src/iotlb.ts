/** One translation: [iova, last] to user addresses from `uaddr`. Source: Linux `struct vhost_iotlb_map`. */
export interface IotlbEntry {
  readonly iova: number
  /** Last byte (inclusive). */
  readonly last: number
  readonly uaddr: number
  /** Bit set of ACCESS_READ and ACCESS_WRITE. */
  readonly perm: number
}

/** A range the device could not translate: what goes to the driver as VHOST_IOTLB_MISS. */
export interface IotlbMiss {
  readonly iova: number
  /** Bit set of ACCESS_READ and ACCESS_WRITE: what the device wants to do. */
  readonly perm: number
}

/**
 * The device IOTLB as an accessor sees it. The class that provides it also takes updates and invalidations.
 */
export interface Iotlb {
  /** Changes with every update and invalidation: a cached translation of another generation is dead. */
  readonly generation: number
  /** The entry that holds `iova`, or null. Logarithmic. */
  lookup(iova: number): IotlbEntry | null
  /** Asks the driver for a translation, once while the question is open. Source: vhost_iotlb_miss. */
  miss(iova: number, perm: number): void
}
