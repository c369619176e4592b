import type { DatapathSpec } from '../datapath/datapath-spec.ts'
import type { FollowedLink } from './link-watch.ts'

/** What the main thread holds of a backend: the device itself, while the worker serves its queues. */
export interface Device {
  readonly datapath: DatapathSpec
  /** Virtio features that the backend takes part in. */
  readonly features: bigint
  /** Lines for people. */
  readonly notes: readonly string[]
  /** Its network interface, or null. */
  readonly link: FollowedLink | null
  /** Frames by XDP verdict or protocol that the kernel counted, read now; null where the kernel has no program of ours. */
  kernelCounts(): Readonly<Record<string, number>> | null
  /** Gives it back; the worker has ended. */
  close(): void
}
