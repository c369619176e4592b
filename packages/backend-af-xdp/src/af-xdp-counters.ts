import type { NetBackendCounters } from '@vring/vhost-net'

/** Counters of a queue in both directions. */
export interface AfXdpCounters extends NetBackendCounters {
  /** Frames that came from the interface. */
  readonly rxFrames: number
  /** Bytes of those frames. */
  readonly rxBytes: number
  /** Frames that the kernel dropped before the socket, by reason. */
  readonly rxDropped: Readonly<Record<string, number>>
}
