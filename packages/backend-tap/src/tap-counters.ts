import type { NetBackendCounters } from '@vring/vhost-net'

/** Counters of a queue in both directions. */
export interface TapQueueCounters extends NetBackendCounters {
  /** Frames for the driver. */
  readonly rxFrames: number
  /** Bytes of those frames, without virtio-net headers. */
  readonly rxBytes: number
  /** Frames for the driver that were dropped, by reason. */
  readonly rxDropped: Readonly<Record<string, number>>
}
